"""Every event, as a frozen class; each is emitted by the core after the fact.

Listeners run in the thread that emits (named in each docstring), one after the other; what one
raises is logged and harms nothing. Nothing is built where nobody listens.
"""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from msgspec import Struct


class Event(Struct, frozen=True, kw_only=True):
    """The base of all events; listening to it hears everything."""


class JobEvent(Event, frozen=True, kw_only=True):
    """Something about one job."""

    id: UUID
    job: str
    queue: str
    connection: str


class AttemptEvent(JobEvent, frozen=True, kw_only=True):
    """Something about one attempt; `attempt` counts from 1, `deliveries` as `Delivery` does."""

    attempt: int
    deliveries: int
    worker: str


# dispatching, in the caller's thread


class JobQueueing(JobEvent, frozen=True, kw_only=True):
    """A job is about to be pushed (the one event before its fact)."""

    delay: float


class JobQueued(JobEvent, frozen=True, kw_only=True):
    """The broker has the job."""

    delay: float


class JobVetoed(JobEvent, frozen=True, kw_only=True):
    """A job was not pushed, because its `prepare_for_dispatch` said no; nobody else knows the id."""


class UniqueJobSkipped(JobEvent, frozen=True, kw_only=True):
    """A job was not pushed, or not retried, because `holder` has its unique key: a live job, or one
    whose window is not over. Told by whoever pushed: the caller's thread, or a worker's settling one
    for the next link of a chain."""

    holder: UUID


class JobSuperseded(JobEvent, frozen=True, kw_only=True):
    """A job that waited will not run, because `by`, with the same unique key, took its place."""

    by: UUID


class QueueFailedOver(Event, frozen=True, kw_only=True):
    """A failover connection pushed to its next member, because this one failed."""

    connection: str
    to: str
    error: str


# reserving, in the worker's fetching thread


class JobPopping(Event, frozen=True, kw_only=True):
    """A reservation is about to be asked for."""

    connection: str
    queues: Sequence[str]
    limit: int


class JobPopped(JobEvent, frozen=True, kw_only=True):
    """A delivery arrived."""

    deliveries: int
    worker: str


# running, in the thread that ran the job


class JobProcessing(AttemptEvent, frozen=True, kw_only=True):
    """The handler is about to run."""


class JobAttempted(AttemptEvent, frozen=True, kw_only=True):
    """An attempt ended, whichever way; `duration` in seconds."""

    duration: float
    error: BaseException | None = None


class JobExceptionOccurred(AttemptEvent, frozen=True, kw_only=True):
    """A handler or middleware raised."""

    error: BaseException


class JobTimedOut(AttemptEvent, frozen=True, kw_only=True):
    """A handler was stopped at its time-out, `timeout` in seconds."""

    timeout: float


# settled, in the worker's settling thread


class SettledEvent(AttemptEvent, frozen=True, kw_only=True):
    """What became of an attempt; `duration` is how long its handler ran, in seconds, 0.0 if it did not."""

    duration: float = 0.0


class JobProcessed(SettledEvent, frozen=True, kw_only=True):
    """A job is done and off the broker; `result` is what the outcome was, `why` what was said of it."""

    result: Literal["done", "deleted", "skipped", "cancelled", "expired", "superseded"]
    why: str = ""


class JobReleased(SettledEvent, frozen=True, kw_only=True):
    """A job put itself, or was put by a middleware, back for `delay` seconds; `why` if it said so."""

    delay: float
    why: str = ""


class JobReleasedAfterException(SettledEvent, frozen=True, kw_only=True):
    """A failed attempt will be repeated in `delay` seconds."""

    delay: float
    error: BaseException


class JobFailed(SettledEvent, frozen=True, kw_only=True):
    """A job failed for good and is kept among the failed jobs."""

    reason: str
    error: BaseException | None = None


class JobUnknown(JobEvent, frozen=True, kw_only=True):
    """No registered job has this name; it was released for `delay` seconds, `seen` times so far."""

    delay: float
    seen: int
    worker: str


class LeaseLost(AttemptEvent, frozen=True, kw_only=True):
    """A delivery belongs to somebody else by now; nothing of this attempt counts."""


class SettlementUnknown(AttemptEvent, frozen=True, kw_only=True):
    """A repeated settlement found no reservation: the first one, whose reply was lost, applied or
    the lease went to somebody else."""


# chains and batches, in the thread that learns of it: a worker's settling one, or the caller's


class BatchEvent(Event, frozen=True, kw_only=True):
    """Something about a batch."""

    id: UUID
    name: str


class BatchDispatched(BatchEvent, frozen=True, kw_only=True):
    """Every member of a batch was pushed; `total` is how many there were."""

    total: int


class BatchCancelled(BatchEvent, frozen=True, kw_only=True):
    """Members of a batch that wait will not run: it was cancelled, by hand or by a failure."""


class BatchFinished(BatchEvent, frozen=True, kw_only=True):
    """Every member of a batch has ended, and its callbacks are pushed."""

    state: Literal["succeeded", "finished with failures", "cancelled"]


# failed jobs and queues, in the caller's thread


class JobRetryRequested(JobEvent, frozen=True, kw_only=True):
    """A failed job waits again."""


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
