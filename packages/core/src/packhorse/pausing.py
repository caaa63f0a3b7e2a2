"""What is paused on a connection: queues in the broker, or in the store where that knows no pauses."""

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from packhorse.control import Keys, left, until
from packhorse.driver.abilities import Pauses
from packhorse.errors import StoreRequired, Unsupported
from packhorse.store.contract import AddMembers, Delete, Group, Put, RemoveMembers, Store

if TYPE_CHECKING:
    from packhorse.connection import Connection


class StorePauses(Pauses):
    """The pauses of one connection's queues. May be used from any thread; raises `ConnectionLost`."""

    def __init__(self, store: Store, connection: str) -> None:
        self._store = store
        self._keys = Keys(connection)
        self._index = self._keys.paused_queues

    def pause(self, queue: str, for_: float | None = None) -> None:
        key = self._keys.paused_queue(queue)
        put = Put(key, until(for_), for_)
        names = AddMembers(self._index, [queue.encode()])
        self._store.apply([Group([names], partition=self._index), Group([put], partition=key)])

    def resume(self, queue: str) -> None:
        key, names = self._keys.paused_queue(queue), RemoveMembers(self._index, [queue.encode()])
        self._store.apply(
            [Group([Delete(key)], partition=key), Group([names], partition=self._index)]
        )

    def paused(self) -> dict[str, float | None]:
        (value,) = self._store.read([self._index])
        names = [one.decode() for one in sorted(value)] if isinstance(value, frozenset) else []
        values = (
            self._store.read([self._keys.paused_queue(name) for name in names]) if names else []
        )
        return {
            name: left(one)
            for name, one in zip(names, values, strict=True)
            if isinstance(one, bytes)
        }


class Paused(Struct, frozen=True):
    """What is paused, each with the seconds that are left (None: until it is resumed).

    `every` is there while all queues are paused.
    """

    queues: dict[str, float | None]
    every: tuple[float | None] | None = None

    def __contains__(self, queue: str) -> bool:
        return self.every is not None or queue in self.queues

    def left(self, queue: str) -> float | None:
        """For how many seconds a paused queue still is."""
        each = [self.queues[queue]] if queue in self.queues else []
        lasting = [*each, *(self.every or ())]
        return None if None in lasting else max(one for one in lasting if one is not None)


def paused(connection: "Connection") -> Paused | None:
    """What is paused on a connection; None where nothing can be. Raises `ConnectionLost`."""
    try:
        queues = connection.pauses().paused()
    except (Unsupported, StoreRequired):
        return None
    with suppress(StoreRequired, Unsupported):
        whole, seconds = connection.control.paused()
        return Paused(queues, (seconds,) if whole else None)
    return Paused(queues)
