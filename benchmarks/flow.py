"""What chains, batches, unique keys and limits cost a job, beside plain ones in the same worker."""

import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.jobs import limited, noop, unique
from benchmarks.measure import Row, drain, seconds
from packhorse import Packhorse

JOBS = 20_000
KEYS = 1_000
PUSHES = 10_000
RUNS = 5


def rows() -> Iterator[Row]:
    yield from _limits()
    yield from _unique()


def _limits() -> Iterator[Row]:
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
    return [(drained(app, bind) - drained(app, noop.bind)) * 1e6 for _ in range(RUNS)]


def drained(app: Packhorse, bind: Callable[[int], Any]) -> float:
    """Seconds a job in which a worker with 8 threads empties a queue."""
    queue = app.queue()
    for start in range(0, JOBS, 1_000):
        queue.push_many(bind(n) for n in range(start, start + 1_000))
    return seconds(lambda: drain(app)) / JOBS


def _unique() -> Iterator[Row]:
    """Unique pushes of which every second is taken, in turns with plain ones."""
    ways: dict[str, Callable[[Packhorse, Callable[[int], Any]], None]] = {
        "one by one": one_by_one,
        "push_many of 1,000": in_thousands,
    }
    for way, push in ways.items():
        above = []
        for _ in range(RUNS):
            plain, keyed = (
                pushing(push, bind) for bind in (noop.bind, lambda n: unique.bind(n // 2))
            )
            above.append((keyed - plain) * 1e6)
        name = f"SQLite, unique, half of them taken, {way}, above plain"
        yield Row(name, above, "µs/push", 30, "lower")


def pushing(
    push: Callable[[Packhorse, Callable[[int], Any]], None], bind: Callable[[int], Any]
) -> float:
    """Seconds a push onto a fresh file."""
    with tempfile.TemporaryDirectory() as folder, Packhorse(f"sqlite:///{folder}/flow.db") as app:
        app.queue().push(noop.bind(0))
        started = time.perf_counter()
        push(app, bind)
        return (time.perf_counter() - started) / PUSHES


def one_by_one(app: Packhorse, bind: Callable[[int], Any]) -> None:
    for n in range(PUSHES):
        app.dispatch(bind(n))


def in_thousands(app: Packhorse, bind: Callable[[int], Any]) -> None:
    queue = app.queue()
    for start in range(0, PUSHES, 1_000):
        queue.push_many(bind(n) for n in range(start, start + 1_000))
