"""The only place that asks what time it is."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time; a test hands in one that is moved by hand (`packhorse.testing.ManualClock`)."""

    def wall(self) -> float:
        """Seconds since 1970, as the system believes; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, never backwards; only differences mean anything."""
        ...


class SystemClock:
    """The machine's own clocks."""

    wall = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


SYSTEM_CLOCK = SystemClock()
