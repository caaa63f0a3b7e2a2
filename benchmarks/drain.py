"""How fast a worker empties a queue of jobs that do nothing: one process, 8 threads or one loop."""

import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.jobs import noop, noop_async
from benchmarks.measure import Row, drain, rate
from packhorse import Packhorse

JOBS = 50_000
RUNS = 5


def rows() -> Iterator[Row]:
    yield Row("memory://, drain, 8 threads", drains("memory://", noop.bind), "jobs/s", 60_000)
    yield Row("memory://, drain, async def", drains("memory://", noop_async.bind), "jobs/s")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/drain.db"
        note = "synchronous=FULL"
        yield Row("SQLite, drain, 8 threads", drains(url, noop.bind), "jobs/s", 30_000, note=note)
        yield Row("SQLite, drain, async def", drains(url, noop_async.bind), "jobs/s", note=note)


def drains(url: str, bind: Callable[[int], Any]) -> list[float]:
    """The rates of some runs over the same connection, the worker's start and end included."""
    with Packhorse(url) as app:
        return [drained(app, bind, JOBS) for _ in range(RUNS)]


def drained(app: Packhorse, bind: Callable[[int], Any], jobs: int) -> float:
    """Fills the default queue, drains it, and gives the rate of the draining."""
    queue = app.queue()
    for start in range(0, jobs, 1000):
        queue.push_many(bind(n) for n in range(start, start + 1000))
    return rate(jobs, lambda: drain(app))
