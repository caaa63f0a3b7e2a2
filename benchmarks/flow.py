"""What chains, batches, unique keys and limits cost a job, beside plain ones in the same worker."""

import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.jobs import limited, noop
from benchmarks.measure import Row
from packhorse import Packhorse

JOBS = 20_000
KEYS = 1_000
RUNS = 5


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, Packhorse(f"sqlite:///{folder}/flow.db") as app:
        yield Row(
            f"SQLite, RateLimited with {KEYS:,} keys, above plain",
            above(app, lambda n: limited.bind(n % KEYS)),
            "µs/job",
            30,
            "lower",
        )


def above(app: Packhorse, bind: Callable[[int], Any]) -> list[float]:
    """Microseconds a job by which jobs take longer than plain ones, drained in turns."""
    return [(drain(app, bind) - drain(app, noop.bind)) * 1e6 for _ in range(RUNS)]


def drain(app: Packhorse, bind: Callable[[int], Any]) -> float:
    """Seconds a job in which a worker with 8 threads empties a queue."""
    queue = app.queue()
    for start in range(0, JOBS, 1_000):
        queue.push_many(bind(n) for n in range(start, start + 1_000))
    started = time.perf_counter()
    app.worker(concurrency=8).run(stop_when_empty=True)
    return (time.perf_counter() - started) / JOBS
