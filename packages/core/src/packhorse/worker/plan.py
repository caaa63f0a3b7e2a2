"""What the worker does next: how much to reserve, what to return or renew, when to stop.

Plain functions from values to values; the threads around them only carry.
"""

from typing import Literal

from msgspec import Struct

PREFETCH_SECONDS = 0.05
"""How much work may wait in a worker: enough to bridge a round trip, too little to hoard."""
PATIENCE = 10 * PREFETCH_SECONDS
"""Seconds for which a message may wait in a worker that had thought to start it within 50 ms."""
PREFETCH_LIMIT = 1_000
"""Messages that may wait in a worker, however fast they are."""

StopReason = Literal[
    "stopped",
    "interrupted",
    "empty",
    "empty_for",
    "max_jobs",
    "max_time",
    "memory",
    "recycled",
    "restarted",
    "stuck",
    "deaf",
]
EXIT_CODES: dict[StopReason, int] = {
    "stopped": 0,
    "interrupted": 0,
    "empty": 0,
    "empty_for": 0,
    "max_jobs": 0,
    "max_time": 0,
    "memory": 12,
    "recycled": 0,
    "restarted": 0,
    "stuck": 1,
    "deaf": 1,
}


class Load(Struct, frozen=True):
    """What a worker has in hand: all of it (from its reservation to its settlement), what of that
    has not started, and how many seconds a job takes on average (None: not measured yet)."""

    held: int
    unstarted: int
    mean: float | None


class Recycling(Struct, frozen=True):
    """When a worker makes room for a fresh process; None: never for that reason. Jobs, seconds, bytes."""

    jobs: int | None = None
    time: float | None = None
    memory: int | None = None

    def spread(self, random: float) -> "Recycling":
        """The same, up to a tenth sooner, so that processes that began together do not end together."""
        share = 1.0 - 0.1 * random
        return Recycling(
            None if self.jobs is None else max(1, round(self.jobs * share)),
            None if self.time is None else self.time * share,
            None if self.memory is None else round(self.memory * share),
        )


class Limits(Struct, frozen=True):
    """When a worker stops by itself; None: never for that reason. Seconds, jobs, bytes."""

    max_jobs: int | None = None
    max_time: float | None = None
    max_memory: int | None = None
    stop_when_empty: bool = False
    stop_when_empty_for: float | None = None
    recycling: Recycling = Recycling()

    @property
    def looks_at_memory(self) -> bool:
        return self.max_memory is not None or self.recycling.memory is not None


class Progress(Struct, frozen=True):
    """How far a worker is: jobs that it has run, seconds since its start and since it last had
    anything in hand, resident bytes, whether the last reservation, with nothing held, was empty, and
    whether a job runs on that cannot be stopped, and whether nothing runs and the broker has not answered
    for so long that it never will."""

    jobs: int
    age: float
    idle: float
    memory: int
    empty: bool
    stuck: bool = False
    deaf: bool = False


def prefetch(mean: float | None, concurrency: int) -> int:
    """How many messages may wait beside those that run."""
    if mean is None:
        return 0
    return min(PREFETCH_LIMIT, int(PREFETCH_SECONDS * concurrency / max(mean, 1e-6)))


def to_reserve(load: Load, concurrency: int, left: int | None) -> int:
    """How many messages to ask for now; 0: wait until something is settled.

    `left` is how many jobs the worker may still take. While there is room for less than half of the
    prefetch nothing is asked for, so that reservations come in batches and not one by one.
    """
    waiting = prefetch(load.mean, concurrency)
    room = concurrency + waiting - load.held
    if room < waiting // 2:
        return 0
    return max(0, room if left is None else min(room, left))


def mean_duration(mean: float | None, total: float, jobs: int) -> float:
    """The moving average after `jobs` more, which took `total` seconds together."""
    latest = total / jobs
    return latest if mean is None else 0.7 * mean + 0.3 * latest


def stop_reason(limits: Limits, progress: Progress) -> StopReason | None:
    """Why the worker should stop now, None if it should not."""
    if progress.stuck:
        return "stuck"
    if progress.deaf:
        return "deaf"
    if limits.max_memory is not None and progress.memory > limits.max_memory:
        return "memory"
    if limits.max_jobs is not None and progress.jobs >= limits.max_jobs:
        return "max_jobs"
    if limits.max_time is not None and progress.age >= limits.max_time:
        return "max_time"
    if limits.stop_when_empty and progress.empty:
        return "empty"
    if _is_old(limits.recycling, progress):
        return "recycled"
    if limits.stop_when_empty_for is not None and progress.idle >= limits.stop_when_empty_for:
        return "empty_for"
    return None


def _is_old(recycling: Recycling, progress: Progress) -> bool:
    limits = (recycling.jobs, recycling.time, recycling.memory)
    reached = (progress.jobs, progress.age, progress.memory)
    return any(limit is not None and at >= limit for limit, at in zip(limits, reached, strict=True))


def hard_time_out(started: float, timeout: float, grace: float, now: float) -> bool:
    """Whether a job cannot be stopped: it has run on for `grace` seconds after its time-out."""
    return timeout > 0 and now - started >= timeout + grace


def too_old(reserved_at: float, now: float, lease: float) -> bool:
    """Whether what has not started is to be returned: it has waited for a third of its lease."""
    return now - reserved_at >= lease / 3


def stalled(arrived: float, now: float) -> bool:
    """Whether what has not started is to be returned though its lease is young: jobs turned out to
    be so slow that others could start it sooner."""
    return now - arrived >= PATIENCE


def renewal_due(deadline: float, now: float, lease: float) -> bool:
    """Whether a started delivery needs another lease: a third of it is used up."""
    return now >= deadline - lease * 2 / 3


def trouble_pause(failures: int, random: float) -> float:
    """Seconds before a broker is tried again, after so many failures in a row."""
    return min(5.0, 0.05 * 2.0 ** min(failures - 1, 8)) * (1.0 - 0.5 * random)
