"""Unique keys in a store, as they are taken by those who send; see `holds` for how a key goes on."""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from packhorse.driver.message import Message, Sent, Unique
from packhorse.store.contract import Delete, Equals, Group, RemoveMembers, Store
from packhorse.store.holds import Hold, Line, Place, unpack

PORTION = 500
"""Messages whose keys are taken and that are sent together, well within the time for the sending."""


class UniqueKeys:
    """The keys of one connection's queues. May be used from any thread; raises `ConnectionLost`."""

    def __init__(self, store: Store, connection: str, retention: float | None) -> None:
        self.store = store
        self._connection = connection
        self._retention = retention

    def line(self, queue: str) -> Line:
        return Line.of(self._connection, queue, self._retention)

    def place(self, queue: str, id: UUID, unique: Unique) -> Place:
        return Place(self.line(queue), id, unique)

    def send(
        self, messages: Sequence[Message], send: Callable[[Sequence[Message]], list[Sent]]
    ) -> list[Sent]:
        """Sends those that get their keys, in their order; one answer a message.

        What `send` raises goes through, after the keys were given back: a message that it sent all
        the same takes its key again at a worker.
        """
        return [
            answer
            for start in range(0, len(messages), PORTION)
            for answer in self._send(messages[start : start + PORTION], send)
        ]

    def cleared(self, queue: str) -> None:
        """Frees the keys of all messages of a queue, once they were removed from the broker."""
        line = self.line(queue)
        self._free(line, self._members(line))

    def orphaned(self, queue: str, ids: Sequence[UUID]) -> None:
        """Frees the keys of messages of which nothing is known but their ids."""
        line, wanted = self.line(queue), {id.bytes for id in ids}
        self._free(line, [one for one in self._members(line) if one[:16] in wanted])

    def _send(
        self, messages: Sequence[Message], send: Callable[[Sequence[Message]], list[Sent]]
    ) -> list[Sent]:
        answers, taken = self._take(messages)
        going = [
            taken[place].message if place in taken else message
            for place, message in enumerate(messages)
            if place not in answers
        ]
        try:
            sent = iter(send(going) if going else [])
        except BaseException:
            self.store.apply([one.restored() for one in taken.values()])
            raise
        after: dict[int, Group] = {}
        for place in range(len(messages)):
            if place in answers:
                continue
            answer = answers[place] = next(sent)
            one = taken.get(place)
            if one is not None:
                refused = answer.state == "refused"
                after[place] = one.restored() if refused else one.confirmed()
                answers[place] = msgspec.structs.replace(answer, superseded=one.superseded)
        if after:
            applied = self.store.apply(list(after.values()))
            gone = [at for at, done in zip(after, applied, strict=True) if done is None]
            answers |= self._lost_while_sending({at: taken[at] for at in gone})
        return [answers[place] for place in range(len(messages))]

    def _lost_while_sending(self, taken: "dict[int, _Taken]") -> dict[int, Sent]:
        """The answers of those whose key somebody else took, since the sending took too long.

        No worker runs their messages while the other lives.
        """
        if not taken:
            return {}
        places = [one.place for one in taken.values()]
        values = self.store.read([key for one in places for key in (one.key, one.mark)])
        answers = {}
        for number, place, value, mark in zip(
            taken, places, values[::2], values[1::2], strict=True
        ):
            held = unpack(value) if isinstance(value, bytes) else None
            replaced = mark is not None or (held is not None and place.id in held.replaced)
            if held is not None and held.holder != place.id and not replaced:
                answers[number] = Sent(place.id, "taken", held.holder)
        return answers

    def _take(self, messages: Sequence[Message]) -> "tuple[dict[int, Sent], dict[int, _Taken]]":
        """The answers of those that are not to be sent, and what the others have taken."""
        answers: dict[int, Sent] = {}
        taken: dict[int, _Taken] = {}
        trying = {
            number: self._fresh(message, message.unique)
            for number, message in enumerate(messages)
            if message.unique is not None
        }
        while trying:
            applied = self.store.apply([one.taking() for one in trying.values()])
            left = {}
            for (number, one), answer in zip(trying.items(), applied, strict=True):
                if answer is None:
                    left[number] = one
                else:
                    taken[number] = one
            values = self.store.read([one.place.key for one in left.values()]) if left else []
            trying = {}
            for (number, one), value in zip(left.items(), values, strict=True):
                found = one.again(value if isinstance(value, bytes) else None)
                if isinstance(found, Sent):
                    answers[number] = found
                else:
                    trying[number] = found
        return answers, taken

    def _fresh(self, message: Message, unique: Unique) -> "_Taken":
        place = self.place(message.queue, message.id, unique)
        return _Taken(message, place, Hold(message.id, "sending", time.time()))

    def _members(self, line: Line) -> list[bytes]:
        (value,) = self.store.read([line.all])
        return sorted(value) if isinstance(value, frozenset) else []

    def _free(self, line: Line, members: Sequence[bytes]) -> None:
        found = [line.read_member(member) for member in members]
        if not found:
            return
        values = self.store.read([key for _, key in found])
        groups = [
            Group([Delete(key)], [Equals(key, value)], line.partition)
            for (id, key), value in zip(found, values, strict=True)
            if isinstance(value, bytes) and unpack(value).holder == id
        ]
        marks = [Delete(line.mark(id)) for id, _ in found]
        rest = Group([*marks, RemoveMembers(line.all, members)], partition=line.partition)
        self.store.apply([*groups, rest])


class _Taken(Struct, frozen=True):
    """A key that one message is to get, or has got; `before` is what stood there."""

    unsent: Message
    place: Place
    hold: Hold
    before: bytes | None = None
    superseded: UUID | None = None

    @property
    def message(self) -> Message:
        """The message as the broker is to have it, due no later than its `max_wait` allows."""
        message, unique = self.unsent, self.place.unique
        delay = message.delay
        if unique.max_wait is not None:
            delay = max(0.0, min(delay, self.hold.first + unique.max_wait - time.time()))
        return msgspec.structs.replace(message, unique=None, delay=delay)

    def taking(self) -> Group:
        return self.place.taking(self.hold, self.before)

    def confirmed(self) -> Group:
        return self.place.confirming(self.hold, self.unsent.delay)

    def restored(self) -> Group:
        return self.place.restoring(self.hold, self.before)

    def again(self, value: bytes | None) -> "_Taken | Sent":
        """Another try, given what stands there; or the answer, if it is not to be had."""
        id = self.unsent.id
        if value is None:
            hold = Hold(id, "sending", time.time())
            return _Taken(self.unsent, self.place, hold)
        held = unpack(value)
        if held.holder == id:
            if held.phase in ("waiting", "started"):
                return Sent(id, "known")  # a repeat of what was sent
            hold = msgspec.structs.replace(held, phase="sending")
            return _Taken(self.unsent, self.place, hold, value)
        if self.place.unique.on_taken == "keep" or held.phase in ("started", "gone"):
            return Sent(id, "taken", held.holder)
        return _Taken(self.unsent, self.place, held.replacing(id), value, held.holder)
