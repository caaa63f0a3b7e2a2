"""Who holds which unique key, as the broker's answers tell it."""

from uuid import UUID

from packhorse.driver.message import Message
from packhorse.testing.simulation.world import World, short


class Keys:
    """The keys of all queues of a broker that keeps them itself."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._holders: dict[tuple[str, str], UUID] = {}
        self._windows: dict[tuple[str, str], float] = {}

    def given(self, message: Message, superseded: UUID | None) -> None:
        """A message was stored, with its key; another may have been superseded by it."""
        unique = message.unique
        if unique is None:
            return
        key = (message.queue, unique.key)
        holder = self._holders.get(key)
        if holder is not None and holder != superseded:
            self._world.fail(
                f"key {unique.key!r} is given to a second message, {short(holder)} lives"
            )
        self._holders[key] = message.id
        self._windows[key] = self._world.now + unique.window

    def refused(self, message: Message) -> None:
        """A message was not stored, because its key is taken."""
        unique = message.unique
        assert unique is not None
        key = (message.queue, unique.key)
        if key not in self._holders and self._windows.get(key, 0.0) < self._world.now:
            self._world.fail(f"key {unique.key!r} is refused, though nobody holds it")

    def freed(self, message: Message) -> None:
        """A message holds its key no longer."""
        unique = message.unique
        if unique is not None and self._holders.get((message.queue, unique.key)) == message.id:
            del self._holders[message.queue, unique.key]
