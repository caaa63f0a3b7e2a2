"""What a link of a chain and a member of a batch cost, beside plain jobs on the same file."""

import tempfile
import time
import tracemalloc
from collections.abc import Iterator

from benchmarks.jobs import noop
from benchmarks.measure import Row, drain, seconds
from packhorse import Packhorse, batch, chain

LINKS, CHAINS = 1_000, 50
MEMBERS = 100_000
RUNS = 3


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, Packhorse(f"sqlite:///{folder}/flow.db") as app:
        plain, linked, counted = [], [], []
        pushed, dispatched = [], []
        for _ in range(RUNS):
            pushed.append(pushes(app))
            plain.append(drains(app, MEMBERS))
            dispatched.append(dispatches(app))
            counted.append(drains(app, MEMBERS))
            for _ in range(CHAINS):
                chain(*(noop.bind(n) for n in range(LINKS))).dispatch_on(app)
            linked.append(drains(app, LINKS * CHAINS))
        # A worker pushes each link, as a dispatcher pushes each plain job.
        both = [push + drain for push, drain in zip(pushed, plain, strict=True)]
        name = f"SQLite, {CHAINS} chains of {LINKS:,} links, above plain pushed and drained"
        yield Row(name, _above(linked, both), "µs/link", 30, "lower")
        name = f"SQLite, batch of {MEMBERS:,}, in the worker, above plain"
        yield Row(name, _above(counted, plain), "µs/job", 20, "lower")
        name = f"SQLite, batch of {MEMBERS:,}, dispatched, above push_many"
        yield Row(name, _above(dispatched, pushed), "µs/job", None, "lower")
        yield Row(f"memory of a dispatcher of {MEMBERS:,}", [memory(app)], "MB", 20, "lower")


def pushes(app: Packhorse) -> float:
    """Seconds a job, a thousand at a time."""
    started = time.perf_counter()
    for start in range(0, MEMBERS, 1_000):
        app.push_many(noop.bind(n) for n in range(start, start + 1_000))
    return (time.perf_counter() - started) / MEMBERS


def dispatches(app: Packhorse) -> float:
    """Seconds a member of a batch that a generator gives."""
    started = time.perf_counter()
    batch(noop.bind(n) for n in range(MEMBERS)).dispatch_on(app)
    return (time.perf_counter() - started) / MEMBERS


def drains(app: Packhorse, jobs: int) -> float:
    """Seconds a job in a worker with 8 threads."""
    return seconds(lambda: drain(app)) / jobs


def memory(app: Packhorse) -> float:
    """Megabytes at most that a dispatch holds."""
    tracemalloc.start()
    batch(noop.bind(n) for n in range(MEMBERS // 10)).dispatch_on(app)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    drains(app, 1)
    return peak / 1e6


def _above(ours: list[float], plain: list[float]) -> list[float]:
    return [(one - other) * 1e6 for one, other in zip(ours, plain, strict=True)]
