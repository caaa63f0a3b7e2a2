"""The events of queues and of workers; for all of them holds what `types.py` says."""

from collections.abc import Sequence
from uuid import UUID

from packhorse.events.types import Event

# queues, in the caller's thread


class QueuePaused(Event, frozen=True, kw_only=True):
    """A queue is handed out no more, for `for_` seconds or until it is resumed."""

    connection: str
    queue: str
    for_: float | None


class QueueResumed(Event, frozen=True, kw_only=True):
    """A queue is handed out again."""

    connection: str
    queue: str


class AllQueuesPaused(Event, frozen=True, kw_only=True):
    """No queue of a connection is handed out, for `for_` seconds or until they are resumed."""

    connection: str
    for_: float | None


class AllQueuesResumed(Event, frozen=True, kw_only=True):
    """The queues of a connection are handed out again, but for those that are paused themselves."""

    connection: str


class QueueBusy(Event, frozen=True, kw_only=True):
    """More jobs wait on a queue than the `limit` with which it was measured (by whoever measured)."""

    connection: str
    queue: str
    waiting: int
    limit: int


class LongWait(Event, frozen=True, kw_only=True):
    """The oldest job of a queue has been due for more seconds than the `limit` with which it was
    measured (by whoever measured)."""

    connection: str
    queue: str
    oldest: float
    limit: float


class QueueCleared(Event, frozen=True, kw_only=True):
    """`count` messages were removed from a queue."""

    connection: str
    queue: str
    count: int


# workers, in the worker's main thread unless said


class WorkerEvent(Event, frozen=True, kw_only=True):
    """Something about a worker."""

    worker: str
    connection: str
    queues: Sequence[str]


class WorkerStarting(WorkerEvent, frozen=True, kw_only=True):
    """A worker is about to reserve for the first time."""


class WorkerIdle(WorkerEvent, frozen=True, kw_only=True):
    """A worker has nothing in hand and nothing to reserve (fetching thread; once a lull)."""


class WorkerInterrupted(WorkerEvent, frozen=True, kw_only=True):
    """A worker was told by a signal to stop."""

    signal: int


class WorkerStopping(WorkerEvent, frozen=True, kw_only=True):
    """A worker is about to end; `reason` is one of the stop reasons, `jobs` how many it ran."""

    reason: str
    jobs: int


class WorkerCrashed(WorkerEvent, frozen=True, kw_only=True):
    """Another process of this supervisor died (told in the thread that takes over from it).

    `worker` is its name, `code` its exit code (negative: the signal), `killed` why its supervisor
    killed it, "" if that did not; `running` are the jobs that count as lost with it.
    """

    code: int
    killed: str
    running: Sequence[UUID]


class WorkerPaused(WorkerEvent, frozen=True, kw_only=True):
    """A worker was told by a signal to reserve nothing; what runs goes on."""


class WorkerResumed(WorkerEvent, frozen=True, kw_only=True):
    """A worker reserves again."""


class WorkerQueuePaused(WorkerEvent, frozen=True, kw_only=True):
    """A worker learnt that a queue of its is paused (fetching thread)."""

    queue: str


class WorkerQueueResumed(WorkerEvent, frozen=True, kw_only=True):
    """A worker learnt that a queue of its is handed out again (fetching thread)."""

    queue: str


class ConnectionTroubled(WorkerEvent, frozen=True, kw_only=True):
    """A broker call failed and will be repeated (the thread whose call it was)."""

    error: str
    retry_in: float
