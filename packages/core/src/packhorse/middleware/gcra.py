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
"""Nanoseconds that a worker may take to notice that a job is due; more is not made up for."""

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
    def pace(self) -> "Pace":
        """The same in nanoseconds, worked out once."""
        period = round(self.period * SECOND)
        late = min(period // 20, _LATE)
        interval = -(-(period + late) // self.count)
        return Pace(interval, interval * (self.burst - 1) + late)


class Pace(Struct, frozen=True, gc=False):
    """Between two jobs lie `interval` nanoseconds; one may come early by `allowance`.

    The interval is a little longer than even and the allowance makes up for it: a job that is noticed
    late does not delay the next, and there are not more of them in a period for it.
    """

    interval: int
    allowance: int


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


class State(Struct, frozen=True, gc=False):
    """Where one limit stands: when the next would be due, and what was promised last."""

    due: int = 0
    promised: int = 0

    def packed(self) -> bytes:
        return _STATE.pack(self.due, self.promised)

    @classmethod
    def read(cls, value: bytes | None) -> "State":
        return cls() if value is None else cls(*_STATE.unpack(value))


def take(paces: Sequence[Pace], states: Sequence[State], now: int) -> tuple[list[State], int]:
    """The states after a job has come at `now`, and how long it has to wait: 0, it was let through.

    All limits let it through, or none is touched but for what it is promised.
    """
    pairs = list(zip(paces, states, strict=True))
    if all(state.due - pace.allowance <= now for pace, state in pairs):
        return [State(max(s.due, now) + pace.interval, s.promised) for pace, s in pairs], 0
    slot = 0
    for pace, state in pairs:
        opens = state.due - pace.allowance
        if opens > now:
            behind = state.promised + pace.interval if state.promised > now else 0
            slot = max(slot, opens, behind)
    after = [State(s.due, slot) if s.due - pace.allowance > now else s for pace, s in pairs]
    return after, slot - now


def give_back(pace: Pace, state: State) -> State:
    """The state after a job that was let through has not started."""
    return State(state.due - pace.interval, state.promised)
