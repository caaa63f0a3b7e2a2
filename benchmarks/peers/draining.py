"""Queues that are full before the worker starts: how fast they get empty, and at what cost."""

import time
from typing import NamedTuple

from benchmarks.peers import processes
from benchmarks.peers.contender import Worker
from benchmarks.peers.marks import Marks, marks
from benchmarks.peers.results import Numbers
from benchmarks.peers.stage import LIMIT, Stage, wait_until

TAKEN = 20_000
"""How many jobs of a backlog are measured, at most, and for how many seconds."""
WINDOW = 5.0


class Spent(NamedTuple):
    """At some moment: the CPU seconds of worker and server so far, and the jobs done."""

    worker: float
    server: float
    done: int


def drain(stage: Stage, worker: Worker, job: str, jobs: int) -> Numbers:
    """From the first job to the last; what the worker does before and after does not count."""
    with marks(jobs) as reports:
        stage.server.empty()
        empty = stage.server.memory()
        stage.fill(job, jobs, reports, worker)
        stored = stage.server.memory() - empty
        with stage.worker(worker, reports) as running:
            wait_until(lambda: reports.done() > 0, LIMIT, running, "the first job")
            first = _spent(stage, running, reports)
            peak = _finish(running, reports)
            last = _spent(stage, running, reports)
        at = reports.values()
        numbers = {
            "rate": (jobs - 1) / (max(at) - min(at)),
            "memory": peak,
            "start": min(at) - running.begun,
            "stored": stored / jobs,
            "twice": reports.twice(),
        }
    if counted := last.done - first.done:
        numbers["cpu"] = (last.worker - first.worker) / counted * 1000
        numbers["server_cpu"] = (last.server - first.server) / counted * 1000
    return numbers


def backlog(stage: Stage, worker: Worker, waiting: int, fill: float) -> Numbers:
    """The pace at the head of a long queue, which is filled for `fill` seconds at most."""
    with marks(waiting) as reports:
        sent = stage.fill("noop", waiting, reports, worker, fill)
        with stage.worker(worker, reports) as running:
            wait_until(lambda: reports.done() > 0, LIMIT, running, "the first job")
            end = time.monotonic() + WINDOW
            while reports.done() < min(sent, TAKEN) and time.monotonic() < end:
                time.sleep(0.01)
        at = sorted(reports.values())[:TAKEN]
    return {"rate": (len(at) - 1) / (at[-1] - at[0]), "waiting": sent}


def _spent(stage: Stage, running: processes.Running, reports: Marks) -> Spent:
    return Spent(processes.cpu(running.pids), stage.server.cpu(), reports.done())


def _finish(running: processes.Running, reports: Marks) -> float:
    """Waits for the last job; the most memory meanwhile."""
    peak = processes.memory(running.pids)
    looked = begun = time.monotonic()
    while (done := reports.done()) < reports.count:
        now = time.monotonic()
        if now - looked > 0.5:
            peak = max(peak, processes.memory(running.pids))
            running.check()
            looked = now
        if now - begun > LIMIT:
            left = reports.count - done
            raise TimeoutError(f"{left} jobs not done in {LIMIT:g} s: {running.output(600)}")
        time.sleep(0.01)
    return max(peak, processes.memory(running.pids))
