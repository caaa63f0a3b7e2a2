"""How long an idle worker in another process takes to start a job, and what it costs meanwhile."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.jobs import stamp
from benchmarks.measure import Row
from packhorse import Packhorse

JOBS = 100
IDLE = 20.0


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        url, out = f"sqlite:///{folder}/latency.db", f"{folder}/stamps"
        command = [sys.executable, "-m", "packhorse", "work", "--import", "benchmarks.jobs", "-q"]
        worker = subprocess.Popen(command, env={**os.environ, "PACKHORSE_URL": url})
        try:
            with Packhorse(url):
                _start(out)
                times = _latencies(out)
                yield Row(
                    "SQLite, idle to started, other process, median",
                    [statistics.median(times)],
                    "ms",
                    20.0,
                    "lower",
                )
                slow = sorted(times)[JOBS * 95 // 100]
                yield Row("the same, 95 of 100", [slow], "ms", better="lower")
            cpu, memory = _idle(worker.pid)
            yield Row("SQLite, CPU of an idle worker", [cpu], "% of a core", 0.99, "lower")
            yield Row("SQLite, memory of an idle worker", [memory], "MB resident", 60.0, "lower")
        finally:
            worker.terminate()
            worker.wait()


def _start(out: str) -> None:
    """Waits until the worker has run a first job; it is still starting when that is dispatched."""
    stamp.dispatch(time.time(), out)
    while not Path(out).exists():
        time.sleep(0.05)


def _latencies(out: str) -> list[float]:
    for n in range(JOBS):
        # Uneven pauses, so that nothing falls into step with a poll.
        time.sleep(0.05 + 0.0137 * (n % 7))
        stamp.dispatch(time.time(), out)
    while len(lines := Path(out).read_text().split()) < JOBS + 1:
        time.sleep(0.05)
    return [float(line) for line in lines[1:]]


def _idle(supervisor: int) -> tuple[float, float]:
    """The processor's time of supervisor and worker together, and the memory of the worker."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text()
    (worker,) = map(int, children.split())
    before = _cpu(supervisor) + _cpu(worker)
    time.sleep(IDLE)
    share = (_cpu(supervisor) + _cpu(worker) - before) / IDLE * 100
    pages = int(Path(f"/proc/{worker}/statm").read_text().split()[1])
    return share, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
