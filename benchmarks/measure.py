"""What every benchmark shares: a row of the table, repeated runs, and what machine this is."""

import gc
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

from packhorse import Packhorse
from packhorse.worker.collector import collect_seldom


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


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def rate(count: int, work: Callable[[], object]) -> float:
    """How many a second, if `work` does `count` of them."""
    return count / seconds(work)


def drain(app: Packhorse) -> None:
    """Empties the queue with a worker of 8 threads, at the garbage collector's pace of `packhorse work`.

    Whoever dispatches in between does so at Python's own pace, as in an application.
    """
    before = gc.get_threshold()
    collect_seldom()
    try:
        app.worker(concurrency=8).run(stop_when_empty=True)
    finally:
        gc.set_threshold(*before)


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
