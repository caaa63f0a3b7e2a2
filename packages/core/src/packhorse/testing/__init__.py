"""Door 3, the testing kit: needs `packhorse[testing]` and is never imported by the core."""

from packhorse.testing.clock import ManualClock
from packhorse.testing.waiting import eventually

__all__ = ["ManualClock", "eventually"]
