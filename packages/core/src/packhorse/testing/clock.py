"""A clock that a test moves by hand."""

import threading


class ManualClock:
    """A `packhorse.clock.Clock` that stands still until `advance`; threads may share it."""

    def __init__(self, wall: float = 1_700_000_000.0, monotonic: float = 1_000.0) -> None:
        self._lock = threading.Lock()
        self._wall = wall
        self._monotonic = monotonic

    def wall(self) -> float:
        """Seconds since 1970."""
        with self._lock:
            return self._wall

    def monotonic(self) -> float:
        """Seconds since some moment, never backwards."""
        with self._lock:
            return self._monotonic

    def advance(self, seconds: float) -> None:
        """Lets `seconds` pass on both clocks."""
        if seconds < 0:
            raise ValueError(f"time only goes forward, not by {seconds} s; use `jump` for the wall")
        with self._lock:
            self._wall += seconds
            self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Sets the wall clock on, or back, as an operator or a time server does."""
        with self._lock:
            self._wall += seconds
