"""Whether a long queue drains as fast as a short one: 1,000,000 waiting against 10,000."""

import tempfile
from collections.abc import Iterator

from benchmarks.jobs import noop
from benchmarks.measure import Row, rate
from packhorse import Packhorse

SHORT, LONG = 10_000, 1_000_000
DRAINED = 10_000
RUNS = 3


def rows() -> Iterator[Row]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Packhorse(f"sqlite:///{folder}/backlog.db") as app,
    ):
        short = [_drain(app, SHORT) for _ in range(RUNS)]
        long = [_drain(app, LONG) for _ in range(RUNS)]
        again = [_drain(app, SHORT, fresh=True) for _ in range(RUNS)]
    yield Row("SQLite, drain 10,000 of 10,000", short + again, "jobs/s")
    yield Row("SQLite, drain 10,000 of 1,000,000", long, "jobs/s")
    ratio = sorted(long)[RUNS // 2] / sorted(short + again)[RUNS]
    yield Row("SQLite, the second as a share of the first", [ratio], "", 0.8)


def _drain(app: Packhorse, waiting: int, fresh: bool = False) -> float:
    queue = app.queue()
    if fresh:
        queue.clear()
    missing = waiting - queue.counts(cap=waiting).ready
    for start in range(0, missing, 10_000):
        queue.push_many((noop.bind(n) for n in range(min(10_000, missing - start))), validate=False)
    worker = app.worker(concurrency=8)
    return rate(DRAINED, lambda: worker.run(max_jobs=DRAINED))
