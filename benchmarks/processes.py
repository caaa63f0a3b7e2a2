"""What a supervisor costs, and what a second process brings: workers of the command line on SQLite."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.jobs import busy, noop
from benchmarks.measure import Row
from packhorse import Packhorse, Pending

RUNS = 5
QUICK, SLOW = 100_000, 10_000
"""So many that the start weighs little: the second process begins some 0.4 s after the first."""


def rows() -> Iterator[Row]:
    alone, under = [], []
    for _ in range(RUNS):  # in turn, so that a machine that drifts hits both
        alone.append(_rate([noop.bind(n) for n in range(QUICK)], 0))
        under.append(_rate([noop.bind(n) for n in range(QUICK)], 1))
    yield Row("a worker alone, drain", alone, "jobs/s")
    yield Row("a worker under a supervisor, drain", under, "jobs/s")
    shares = [one / other for one, other in zip(under, alone, strict=True)]
    yield Row("the second as a share of the first", shares, "", 0.98)
    one, two = [], []
    for _ in range(RUNS):
        one.append(_rate([busy.bind(0.001) for _ in range(SLOW)], 1))
        two.append(_rate([busy.bind(0.001) for _ in range(SLOW)], 2))
    yield Row("one process, jobs of 1 ms of CPU", one, "jobs/s")
    yield Row("two processes, jobs of 1 ms of CPU", two, "jobs/s")
    gains = [both / single for both, single in zip(two, one, strict=True)]
    yield Row("the second as a multiple of the first", gains, "", 1.6)


def _rate(jobs: list[Pending[None]], processes: int) -> float:
    """Jobs a second, from the moment when the first worker begins to when the last ends."""
    with tempfile.TemporaryDirectory() as folder:
        url, times = f"sqlite:///{folder}/jobs.db", Path(folder, "times")
        with Packhorse(url) as app:
            for start in range(0, len(jobs), 1_000):
                app.push_many(jobs[start : start + 1_000])
        subprocess.run(
            [
                *(sys.executable, "-m", "packhorse", "--url", url, "work", "--quiet"),
                *("--import", "benchmarks.stopwatch", "--stop-when-empty"),
                *("--processes", str(processes)),
            ],
            env={**os.environ, "BENCHMARK_TIMES": str(times)},
            check=True,
        )
        moments = [float(line) for line in times.read_text().split()]
    return len(jobs) / (max(moments) - min(moments))
