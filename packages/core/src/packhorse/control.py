"""`Control`: pauses and restarts the workers of a connection and tells who is alive, by its store.

Each worker looks at what is written here about every ten seconds, in the call by which it writes that
it is alive.
"""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from packhorse import events
from packhorse.errors import StoreRequired, Unsupported
from packhorse.store.contract import Absent, Delete, Group, Put, RemoveMembers, Store

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection


State = Literal["working", "paused", "stopping"]
"""What a worker does: takes jobs, takes none while a signal says so, or comes to its end."""


class RunningJob(Struct, frozen=True):
    """A job that a worker runs, `since` when, in seconds since 1970."""

    id: UUID
    job: str
    queue: str
    since: float


class LiveWorker(Struct, frozen=True):
    """A worker as it described itself at `beat`; both moments are in seconds since 1970 by its clock.

    `busy` is how many jobs it runs, `running` the oldest of them. `jobs` is how many attempts it has
    made since `started`, `failed` how many of its jobs failed for good. `memory` is in bytes.
    """

    name: str
    host: str
    pid: int
    queues: Sequence[str]
    concurrency: int
    state: State
    started: float
    beat: float
    jobs: int
    failed: int
    memory: int
    busy: int
    running: Sequence[RunningJob]


class Keys(Struct, frozen=True):
    """Where a connection's store keeps what is said to its workers, and what they say."""

    connection: str

    @property
    def restart(self) -> str:
        return f"control:{self.connection}:restart"

    @property
    def paused(self) -> str:
        """There while all queues are paused."""
        return f"control:{self.connection}:paused"

    @property
    def paused_queues(self) -> str:
        """The names of the queues that are paused by themselves, and of some that were."""
        return f"{self.paused}:queues"

    def paused_queue(self, queue: str) -> str:
        """There while that queue is paused."""
        return f"{self.paused}:queue:{queue}"

    @property
    def workers(self) -> str:
        """The names of the workers that live, and of some that died."""
        return f"control:{self.connection}:workers"

    def worker(self, name: str) -> str:
        return f"control:{self.connection}:worker:{name}"

    def gone(self, name: str) -> list[Group]:
        """What is written when a worker has ended."""
        return [
            Group([Delete(self.worker(name))], partition=self.worker(name)),
            Group([RemoveMembers(self.workers, [name.encode()])], partition=self.workers),
        ]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LiveWorker).decode
written = _encode
"""A worker's description as it stands in the store."""


class Control:
    """Controls the workers of one connection. May be used from any thread.

    Everything raises `StoreRequired` where the connection has no store, `Unsupported` where it has no
    workers, and `ConnectionLost` if the store is away.
    """

    def __init__(self, app: "Packhorse", connection: "Connection") -> None:
        self._app = app
        self._connection = connection
        self._keys = Keys(connection.name)

    def restart(self) -> None:
        """Ends all workers in good order, within about ten seconds; supervisors replace theirs."""
        moment = f"{time.time():.6f}".encode()
        self._write(Group([Put(self._keys.restart, moment)], partition=self._keys.restart))

    def pause(self, for_: float | timedelta | None = None) -> None:
        """Hands out no jobs of any queue, for so many seconds or until `resume`; running jobs go on.

        Workers learn of it within about ten seconds. Queues that are paused themselves stay so.
        """
        seconds = for_.total_seconds() if isinstance(for_, timedelta) else for_
        put = Put(self._keys.paused, until(seconds), seconds)
        self._write(Group([put], partition=self._keys.paused))
        self._tell(events.AllQueuesPaused, for_=seconds)

    def resume(self) -> None:
        """Ends what `pause` has begun, not the pauses of single queues."""
        self._write(Group([Delete(self._keys.paused)], partition=self._keys.paused))
        self._tell(events.AllQueuesResumed)

    def paused(self) -> tuple[bool, float | None]:
        """Whether all queues are paused, and for how many seconds more (None: until `resume`)."""
        (value,) = self._store.read([self._keys.paused])
        return (True, left(value)) if isinstance(value, bytes) else (False, None)

    def workers(self) -> list[LiveWorker]:
        """The workers that live, by their names; one that was killed is shown for half a minute."""
        store = self._store
        (value,) = store.read([self._keys.workers])
        names = sorted(value) if isinstance(value, frozenset) else []
        if not names:
            return []
        values = store.read([self._keys.worker(name.decode()) for name in names])
        dead = [name for name, one in zip(names, values, strict=True) if one is None]
        if dead:
            store.apply([self._forget(name) for name in dead])
        return [_decode(one) for one in values if isinstance(one, bytes)]

    def forget(self, name: str) -> None:
        """Takes a worker off the list that is known to be dead."""
        self._store.apply(self._keys.gone(name))

    def _forget(self, name: bytes) -> Group:
        """Takes the name of a dead worker off, unless it has come back meanwhile."""
        keys = self._keys
        absent = Absent(keys.worker(name.decode()))
        return Group([RemoveMembers(keys.workers, [name])], [absent], partition=keys.workers)

    @property
    def _store(self) -> Store:
        connection = self._connection
        if not connection.driver.has_workers:
            raise Unsupported(
                f"connection {connection.name!r}: no workers serve {connection.url.scheme}://, so "
                "there is nothing to control"
            )
        try:
            return connection.store
        except StoreRequired as error:
            raise StoreRequired(f"control of the workers needs a store: {error}") from None

    def _write(self, group: Group) -> None:
        self._store.apply([group])

    def _tell(self, event: type[events.Event], **facts: object) -> None:
        if self._app.bus.hears(event):
            self._app.bus.emit(event(connection=self._connection.name, **facts))


def until(seconds: float | None) -> bytes:
    """What stands in the store while something is paused: until when, for people; its time is the store's."""
    return _encode(None if seconds is None else time.time() + seconds)


def left(value: bytes) -> float | None:
    """For how many seconds something is still paused."""
    moment = msgspec.msgpack.decode(value, type=float | None)
    return None if moment is None else max(0.0, moment - time.time())
