"""A worker at full load for a while: do memory, threads and descriptors stay flat?

`python -m benchmarks.soak 600` runs for so many seconds and prints a slope for each process.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.jobs import noop, noop_async
from packhorse import Packhorse

EVERY = 1.0
BACKLOG = 5_000
Sample = tuple[float, float, float, float]
"""Seconds since the start, resident megabytes, threads, open descriptors."""


def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/jobs.db"
        with Packhorse(url) as app:
            supervisor = subprocess.Popen(
                [sys.executable, "-m", "packhorse", "--url", url, "work", "--quiet"]  # noqa: RUF005
                + ["--import", "benchmarks.jobs"]
            )
            try:
                samples, pushed = _watch(app, supervisor.pid, seconds)
            finally:
                supervisor.terminate()
                supervisor.wait()
    print(f"{pushed:,} jobs were pushed in {seconds:g} s")
    for name, taken in samples.items():
        settled = taken[len(taken) // 4 :]  # without the start
        print(name, *(_slope(settled, column) for column in (1, 2, 3)), sep="; ")


def _watch(app: Packhorse, pid: int, seconds: float) -> tuple[dict[str, list[Sample]], int]:
    """Keeps the queue full and takes samples of the supervisor and its process."""
    samples: dict[str, list[Sample]] = {"supervisor": [], "worker": []}
    started, pushed = time.monotonic(), 0
    sampled = started
    while (now := time.monotonic()) - started < seconds:
        if app.queue().counts(BACKLOG).ready < BACKLOG:
            app.push_many([kind.bind(n) for n in range(500) for kind in (noop, noop_async)])
            pushed += 1_000
        else:
            time.sleep(0.05)
        if now - sampled >= EVERY:
            sampled = now
            samples["supervisor"].append(_sample(pid, now - started))
            for child in _children(pid):
                samples["worker"].append(_sample(child, now - started))
    return samples, pushed


def _sample(pid: int, at: float) -> Sample:
    root = Path(f"/proc/{pid}")
    resident = int((root / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    threads = len(list((root / "task").iterdir()))
    return at, resident / 1e6, float(threads), float(len(list((root / "fd").iterdir())))


def _children(pid: int) -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


def _slope(samples: list[Sample], column: int) -> str:
    name = ("", "MB", "threads", "descriptors")[column]
    values = [one[column] for one in samples]
    slope, _ = statistics.linear_regression([one[0] for one in samples], values)
    return f"{values[0]:.4g} to {values[-1]:.4g} {name}, {slope * 3600:+.3g} an hour"


if __name__ == "__main__":
    main(float(sys.argv[1]))
