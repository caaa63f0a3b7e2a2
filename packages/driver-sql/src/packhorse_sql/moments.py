"""The broker's clock in microseconds: this machine's wall clock, but it never runs back.

A wall clock that is set back is followed no further: time goes on from the last moment at the pace
of the monotonic clock, so leases still end and delays still pass. Processes agree by a row in the
database that keeps the last moment, to within the second in which it is next written and read
(`upkeep`); a process that starts after the wall clock went back begins from that row.
"""

import threading

from packhorse.plugin import Clock

_SECOND = 1_000_000
_LAST = 2**62


def span(seconds: float) -> int:
    """A length of time in microseconds; what would overflow a column lasts for ever."""
    return min(round(min(seconds, 1e12) * _SECOND), _LAST // 2)


def seconds(moment: int) -> float:
    """A moment, or a length of time, in seconds."""
    return moment / _SECOND


class Moments:
    """Hands out moments; thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ahead = -_LAST
        self._latest = 0

    def now(self, later_by: int = 0) -> int:
        """The present moment, at least `later_by` after every one that was handed out before."""
        with self._lock:
            # The wall clock is read first: a pause between the two can then only make time late.
            wall = round(self._clock.wall() * _SECOND)
            monotonic = round(self._clock.monotonic() * _SECOND)
            self._ahead = max(self._ahead, wall - monotonic, self._latest + later_by - monotonic)
            self._latest = monotonic + self._ahead
            return self._latest

    def at_least(self, moment: int) -> None:
        """Moves the clock on to a moment that somebody else has handed out."""
        with self._lock:
            self._ahead = max(self._ahead, moment - round(self._clock.monotonic() * _SECOND))

    def after_fork(self) -> None:
        """A thread of the parent may have held the lock."""
        self._lock = threading.Lock()
