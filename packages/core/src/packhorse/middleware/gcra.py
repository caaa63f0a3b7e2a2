"""The generic cell rate algorithm: a limit's whole state is one moment, and nothing happens at edges.

That moment is when the next job would be due if all came evenly. A job that comes no more than the
burst's allowance before it is let through and moves it on by one interval. A second moment is the
last one that was promised to a job which has to wait, so that the next is told a later one. Plain
functions over whole nanoseconds; nobody is asked what time it is.
"""

import struct
from collections.abc import Sequence

from msgspec import Struct

SECOND = 1_000_000_000

_LATE = SECOND // 20
"""What a worker may take to notice that a job is due, and not more is made up for."""

_STATE = struct.Struct(">qq")


class Limit(Struct, frozen=True):
    """At most `count` starts in any `period` seconds, evenly spaced; with a `burst`, so many at once.

    Then it is at most `count` + `burst` - 1 in any period, and `count` a period in the long run.
    """

    count: int
    period: float
    burst: int = 1

    def __post_init__(self) -> None:
        if self.count < 1 or self.burst < 1 or not 0 < self.period <= 366 * 86_400:
            raise ValueError(f"{self!r}: count and burst must be 1 or more, period up to a year")

    @property
    def tolerance(self) -> int:
        """Nanoseconds by which a job may be late without the next one's being later for it."""
        return min(round(self.period * SECOND) // 20, _LATE)

    @property
    def interval(self) -> int:
        """Nanoseconds between two jobs; a little more than even, so that the late ones stay within."""
        return -(-(round(self.period * SECOND) + self.tolerance) // self.count)

    @property
    def allowance(self) -> int:
        """Nanoseconds by which a job may come early."""
        return self.interval * (self.burst - 1) + self.tolerance


def per_second(count: int, burst: int = 1) -> Limit:
    """At most so many a second."""
    return Limit(count, 1, burst)


def per_minute(count: int, burst: int = 1) -> Limit:
    """At most so many a minute."""
    return Limit(count, 60, burst)


def per_hour(count: int, burst: int = 1) -> Limit:
    """At most so many an hour."""
    return Limit(count, 3_600, burst)


def per_day(count: int, burst: int = 1) -> Limit:
    """At most so many a day, of 24 hours."""
    return Limit(count, 86_400, burst)


class State(Struct, frozen=True):
    """Where one limit stands: when the next would be due, and what was promised last."""

    due: int = 0
    promised: int = 0

    def packed(self) -> bytes:
        return _STATE.pack(self.due, self.promised)

    @classmethod
    def read(cls, value: bytes | None) -> "State":
        return cls() if value is None else cls(*_STATE.unpack(value))


def take(limits: Sequence[Limit], states: Sequence[State], now: int) -> tuple[list[State], int]:
    """The states after a job has come at `now`, and how long it has to wait: 0, it was let through.

    All limits let it through, or none is touched but for what it is promised.
    """
    open_at = [max(s.due, now) - limit.allowance for limit, s in zip(limits, states, strict=True)]
    if max(open_at) <= now:
        after = [
            State(max(s.due, now) + limit.interval, s.promised)
            for limit, s in zip(limits, states, strict=True)
        ]
        return after, 0
    full = [moment > now for moment in open_at]
    slot = max(
        max(moment, s.promised + limit.interval if s.promised > now else 0)
        for limit, s, moment, is_full in zip(limits, states, open_at, full, strict=True)
        if is_full
    )
    after = [State(s.due, slot) if is_full else s for s, is_full in zip(states, full, strict=True)]
    return after, slot - now


def give_back(limit: Limit, state: State) -> State:
    """The state after a job that was let through has not started."""
    return State(state.due - limit.interval, state.promised)
