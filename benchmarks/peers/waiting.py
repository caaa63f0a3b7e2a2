"""A worker that waits: what it costs, and how soon it starts a job."""

import time

from benchmarks.peers import processes
from benchmarks.peers.contender import Worker
from benchmarks.peers.marks import marks
from benchmarks.peers.results import Numbers, percentile
from benchmarks.peers.stage import Stage, wait_until

WARM = 20
"""Jobs before the measured ones, to see that the worker is ready; they do not count."""
LATE = 20.0
"""Seconds that the last jobs may take."""


def latency(stage: Stage, worker: Worker, rate: float, seconds: float, idle: float) -> Numbers:
    """First `idle` seconds of nothing, then jobs at `rate` a second for `seconds`.

    A job's latency is from just before the call that sends it to its first line.
    """
    jobs = int(rate * seconds)
    with marks(WARM + jobs) as reports:
        stage.server.empty()
        with stage.worker(worker, reports) as running:
            time.sleep(1.5)
            warm = ("--rate", "50")
            stage.send("stamp", WARM, *warm, marks=reports, variables=worker.variables)
            wait_until(lambda: reports.done() >= WARM, 60, running, "the first jobs")
            time.sleep(1)
            numbers = _idle(stage, running, idle)
            before = processes.cpu(running.pids)
            paced = ("--rate", str(rate), "--first", str(WARM))
            stage.send("stamp", jobs, *paced, marks=reports, variables=worker.variables)
            end = time.monotonic() + LATE
            while reports.done() < WARM + jobs and time.monotonic() < end:
                time.sleep(0.02)
            numbers["cpu"] = (processes.cpu(running.pids) - before) / jobs * 1000
        took = [value * 1000 for value in reports.values(WARM)]
    return {
        **numbers,
        "p50": percentile(took, 0.5),
        "p95": percentile(took, 0.95),
        "p99": percentile(took, 0.99),
        "most": max(took),
        "missing": jobs - len(took),
    }


def _idle(stage: Stage, running: processes.Running, seconds: float) -> Numbers:
    """What worker and server cost while nothing happens, and the worker's memory."""
    worker, server = processes.cpu(running.pids), stage.server.cpu()
    requests = stage.server.requests(seconds)
    return {
        "idle_cpu": (processes.cpu(running.pids) - worker) / seconds * 100,
        "idle_server_cpu": (stage.server.cpu() - server) / seconds * 100,
        "idle_requests": requests / seconds * 60,
        "idle_memory": processes.memory(running.pids),
    }
