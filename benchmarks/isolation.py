"""What a process of its own costs a job: warm, fresh, and beside a thread."""

import time
from collections.abc import Iterator
from unittest.mock import patch

from benchmarks.jobs import noop
from benchmarks.measure import Row
from packhorse import Packhorse, events
from packhorse.worker.isolated import runner

WARM, FRESH = 2_000, 20


def rows() -> Iterator[Row]:
    with Packhorse("memory://") as app:
        thread = [_milliseconds(app, 20_000, isolate=False) for _ in range(3)]
        warm = [_milliseconds(app, WARM, isolate=True) for _ in range(3)]
        with patch.object(runner, "REUSES", 1):
            fresh = [_milliseconds(app, FRESH, isolate=True) for _ in range(3)]
    yield Row("memory://, a job in a thread", thread, "ms", better="lower")
    yield Row("the same in a warm process of its own", warm, "ms", 1.0, "lower")
    yield Row("the same in a fresh one each time", fresh, "ms", better="lower")


def _milliseconds(app: Packhorse, jobs: int, isolate: bool) -> float:
    """How long a job takes, one after the other; the first process is there before."""
    one = noop.using(isolate=isolate)
    app.push_many([one.bind(n) for n in range(jobs + 1)])
    begun: list[float] = []
    worker = app.worker(concurrency=1)
    app.on(events.JobAttempted)(lambda _: begun.append(time.perf_counter()))
    worker.run(max_jobs=jobs + 1)
    return (begun[-1] - begun[-jobs - 1]) * 1000 / jobs
