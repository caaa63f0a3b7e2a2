"""Which measurements a run consists of, with how many jobs, and about how long they take."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from benchmarks.peers.contender import Contender, Worker, Workload
from benchmarks.peers.draining import TAKEN, WINDOW

WORKLOADS: dict[Workload, str] = {
    "raw": "limits of the client library",
    "dispatch": "dispatch one by one",
    "bulk": "dispatch in bulk, 1,000 a call",
    "drain": "drain jobs that do nothing",
    "latency": "idle cost, then 200 jobs/s",
    "io": "jobs that wait 10 ms",
    "kill": "kill -9 with jobs underway",
    "backlog": "drain rate against backlog",
}
SHORT: tuple[Workload, ...] = tuple(one for one in WORKLOADS if one != "kill")
"""What a quick run has, unless it is asked for more: some contenders take a minute to notice a kill."""

RATE = 200.0
"""Jobs a second of the latency."""

KILLED = 100
"""Jobs of a kill."""


class Sizes(NamedTuple):
    """How much is measured.

    `jobs` is what every run has; None: as many as take the contender about `seconds`. `paced` and
    `idle` are the seconds of the latency's two parts; `fill` those that filling a backlog may take.
    """

    jobs: int | None
    seconds: float
    runs: int
    paced: float
    idle: float
    backlogs: tuple[int, ...]
    fill: float


FULL = Sizes(None, 4, 3, 10, 15, (1_000, 10_000, 100_000, 1_000_000), 35)
QUICK = Sizes(None, 2, 1, 5, 5, (1_000, 10_000), 10)


class Step(NamedTuple):
    """One measurement: `runs` of it give one row, in about `seconds`. A dispatch has no worker."""

    workload: Workload
    worker: Worker | None
    jobs: int
    runs: int
    seconds: float


def steps(
    contender: Contender,
    workloads: Collection[Workload],
    sizes: Sizes,
    settings: Collection[str] = (),
) -> Iterator[Step]:
    """What of `workloads` the contender takes part in; with `settings`, workers of these names only."""
    fills = contender.bulk or contender.sends
    for workload in workloads:
        if workload == "raw" and not contender.workers:
            jobs = _jobs(contender.sends, sizes)
            yield Step(workload, None, jobs, sizes.runs, sizes.runs * (1 + jobs / 1500))
        pace = {"dispatch": contender.sends, "bulk": contender.bulk}.get(workload, 0)
        if pace and contender.workers and not settings:
            jobs = _jobs(pace, sizes)
            yield Step(workload, None, jobs, sizes.runs, sizes.runs * (1 + jobs / pace))
        for worker in contender.workers:
            if workload in worker.workloads and (not settings or worker.name in settings):
                yield from _of(workload, worker, fills, sizes)


def _of(workload: Workload, worker: Worker, fills: int, sizes: Sizes) -> Iterator[Step]:
    if workload in ("drain", "io"):
        jobs = _jobs(worker.pace, sizes)
        once = 2.5 + jobs / fills + jobs / worker.pace
        yield Step(workload, worker, jobs, sizes.runs, sizes.runs * once)
    elif workload == "latency":
        jobs = int(RATE * sizes.paced)
        yield Step(workload, worker, jobs, 1, 6 + sizes.idle + sizes.paced)
    elif workload == "kill":
        jobs = min(KILLED, sizes.jobs or KILLED)
        yield Step(workload, worker, jobs, 1, 5 + worker.watch / 2)
    elif workload == "backlog":
        for waiting in backlogs(fills, sizes):
            filled = min(sizes.fill, waiting / fills)
            once = 2.5 + filled + min(WINDOW, min(TAKEN, waiting) / worker.pace)
            yield Step(workload, worker, waiting, 1, once)


def backlogs(fills: int, sizes: Sizes) -> Iterator[int]:
    """The lengths of queue to measure, up to the first that cannot be reached in `fill` seconds."""
    for waiting in (sizes.jobs,) if sizes.jobs else sizes.backlogs:
        yield waiting
        if waiting > fills * sizes.fill:
            return


def _jobs(pace: int, sizes: Sizes) -> int:
    """As many as take `seconds`, with one digit that is not 0, so that they read well."""
    return sizes.jobs or max(100, int(float(f"{pace * sizes.seconds:.0e}")))
