"""The events of jobs and batches, as frozen classes; each is emitted by the core after the fact.

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


# failed jobs, in the caller's thread


class JobRetryRequested(JobEvent, frozen=True, kw_only=True):
    """A failed job waits again."""
