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


class JobEvent(Event):
    """Something about one job."""

    id: UUID
    job: str
    queue: str
    connection: str


class AttemptEvent(JobEvent):
    """Something about one attempt; `attempt` counts from 1, `deliveries` as `Delivery` does."""

    attempt: int
    deliveries: int
    worker: str


# dispatching, in the caller's thread


class JobQueueing(JobEvent):
    """A job is about to be pushed (the one event before its fact)."""

    delay: float


class JobQueued(JobEvent):
    """The broker has the job."""

    delay: float


class QueueFailedOver(Event):
    """A failover connection pushed to its next member, because this one failed."""

    connection: str
    to: str
    error: str


# reserving, in the worker's fetching thread


class JobPopping(Event):
    """A reservation is about to be asked for."""

    connection: str
    queues: Sequence[str]
    limit: int


class JobPopped(JobEvent):
    """A delivery arrived."""

    deliveries: int
    worker: str


# running, in the thread that ran the job


class JobProcessing(AttemptEvent):
    """The handler is about to run."""


class JobAttempted(AttemptEvent):
    """An attempt ended, whichever way; `duration` in seconds."""

    duration: float
    error: BaseException | None = None


class JobExceptionOccurred(AttemptEvent):
    """A handler or middleware raised."""

    error: BaseException


class JobTimedOut(AttemptEvent):
    """A handler was stopped at its time-out, `timeout` in seconds."""

    timeout: float


# settled, in the worker's settling thread


class JobProcessed(AttemptEvent):
    """A job is done and off the broker; `result` is what the outcome was."""

    result: Literal["done", "deleted", "skipped", "cancelled", "expired"]


class JobReleased(AttemptEvent):
    """A job put itself, or was put by a middleware, back for `delay` seconds."""

    delay: float


class JobReleasedAfterException(AttemptEvent):
    """A failed attempt will be repeated in `delay` seconds."""

    delay: float
    error: BaseException


class JobFailed(AttemptEvent):
    """A job failed for good and is kept among the failed jobs."""

    reason: str
    error: BaseException | None = None


class JobUnknown(JobEvent):
    """No registered job has this name; it was released for `delay` seconds, `seen` times so far."""

    delay: float
    seen: int
    worker: str


class LeaseLost(AttemptEvent):
    """A delivery belongs to somebody else by now; nothing of this attempt counts."""


class SettlementUnknown(AttemptEvent):
    """A repeated settlement found no reservation: the first one, whose reply was lost, applied or
    the lease went to somebody else."""


# failed jobs and queues, in the caller's thread


class JobRetryRequested(JobEvent):
    """A failed job waits again."""


class QueuePaused(Event):
    """A queue is handed out no more, for `for_` seconds or until it is resumed."""

    connection: str
    queue: str
    for_: float | None


class QueueResumed(Event):
    """A queue is handed out again."""

    connection: str
    queue: str


class QueueCleared(Event):
    """`count` messages were removed from a queue."""

    connection: str
    queue: str
    count: int


# workers, in the worker's main thread unless said


class WorkerEvent(Event):
    """Something about a worker."""

    worker: str
    connection: str
    queues: Sequence[str]


class WorkerStarting(WorkerEvent):
    """A worker is about to reserve for the first time."""


class WorkerIdle(WorkerEvent):
    """A worker has nothing in hand and nothing to reserve (fetching thread; once a lull)."""


class WorkerInterrupted(WorkerEvent):
    """A worker was told by a signal to stop."""

    signal: int


class WorkerStopping(WorkerEvent):
    """A worker is about to end; `reason` is one of the stop reasons, `jobs` how many it ran."""

    reason: str
    jobs: int


class WorkerQueuePaused(WorkerEvent):
    """A worker learnt that a queue of its is paused (fetching thread)."""

    queue: str


class WorkerQueueResumed(WorkerEvent):
    """A worker learnt that a queue of its is handed out again (fetching thread)."""

    queue: str


class ConnectionTroubled(WorkerEvent):
    """A broker call failed and will be repeated (the thread whose call it was)."""

    error: str
    retry_in: float
