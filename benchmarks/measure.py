"""What every benchmark shares: a row of the table, repeated runs, and what machine this is."""

import os
import platform
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from typing import Literal

from msgspec import Struct


class Row(Struct, frozen=True):
    """One number: the median of its runs, and what it must be at least, or at most."""

    name: str
    runs: list[float]
    unit: str
    target: float | None = None
    better: Literal["higher", "lower"] = "higher"
    note: str = ""

    @property
    def value(self) -> float:
        return statistics.median(self.runs)

    @property
    def reached(self) -> bool | None:
        """Whether the median keeps the target; None if there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.better == "higher" else self.value <= self.target


def rate(count: int, work: Callable[[], object]) -> float:
    """How many a second, if `work` does `count` of them."""
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def machine() -> dict[str, str]:
    """Where and with what a run was made."""
    packages = ("packhorse", "packhorse-sql", "msgspec", "SQLAlchemy", "pluggy")
    return {
        "date": date.today().isoformat(),
        "python": sys.version.split()[0],
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in packages},
    }
