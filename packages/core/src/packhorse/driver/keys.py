"""Unique keys in memory: which message of a queue holds a key, and for how long after it is gone."""

from uuid import UUID

from msgspec import Struct

from packhorse.driver.message import Message

SWEEP = 1_000
"""From this size on, keys that nobody holds are swept out whenever they may be half of all."""


class Held(Struct, gc=False):
    """A key's holder. `until`: the end of its window; `first`: when its run of replacements began."""

    holder: UUID
    until: float
    first: float
    live: bool = True


class Keys:
    """The keys of all queues; not thread-safe."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Held] = {}
        self._sweep = SWEEP

    def held(self, queue: str, key: str, now: float) -> Held | None:
        """Who holds a key, live or by its window alone."""
        held = self._held.get((queue, key))
        return held if held is not None and (held.live or held.until > now) else None

    def rival(self, message: Message, queue: str, now: float) -> UUID | None:
        """Who else holds a message's key; a window that it left itself is no rival."""
        assert message.unique is not None
        held = self.held(queue, message.unique.key, now)
        return None if held is None or held.holder == message.id else held.holder

    def take(self, message: Message, now: float, first: float) -> None:
        """Gives a message its key, whoever held it."""
        assert message.unique is not None
        held = Held(message.id, now + message.unique.window, first)
        self._held[_place(message)] = held
        if len(self._held) > self._sweep:
            held_still = ((each, one) for each, one in self._held.items() if _is_held(one, now))
            self._held = dict(held_still)
            self._sweep = SWEEP + 2 * len(self._held)

    def free(self, message: Message, now: float) -> None:
        """Lets go of a message's key, if it is this one that holds it; a window holds it on."""
        held = self._holds(message)
        if held is not None:
            held.live = False
            if held.until <= now:
                del self._held[_place(message)]

    def move(self, message: Message, queue: str, now: float) -> bool:
        """Moves the key of a live message to another queue, its window with it; False if taken."""
        held = self._holds(message)
        if held is None:
            return True
        if self.rival(message, queue, now) is not None:
            return False
        del self._held[_place(message)]
        self._held[_place(message, queue)] = held
        return True

    def _holds(self, message: Message) -> Held | None:
        """What this live message holds, None if it has no key or has let go of it."""
        held = None if message.unique is None else self._held.get(_place(message))
        return held if held is not None and held.live and held.holder == message.id else None


def _place(message: Message, queue: str | None = None) -> tuple[str, str]:
    assert message.unique is not None
    return queue or message.queue, message.unique.key


def _is_held(held: Held, now: float) -> bool:
    return held.live or held.until > now
