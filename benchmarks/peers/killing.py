"""A worker that is killed with jobs underway: which are lost, which run twice, and when they run again."""

import time

from benchmarks.peers.contender import Worker
from benchmarks.peers.marks import Marks, marks
from benchmarks.peers.results import Numbers
from benchmarks.peers.stage import LIMIT, Stage, wait_until

DONE = 40
"""Jobs that are done when the kill comes."""

LATER = 5.0
"""Seconds from one further job to the next, after the kill: some workers look for the jobs of dead ones
only when there is something new."""


def kill(stage: Stage, worker: Worker, jobs: int) -> Numbers:
    """SIGKILL to the whole tree of the worker; another starts at once and has `watch` seconds."""
    with marks(jobs + 1) as reports:  # the last place is for the further ones
        stage.fill("slow", jobs, reports, worker)
        with stage.worker(worker, reports) as running:
            ready = min(DONE, jobs // 2)
            wait_until(
                lambda: reports.done() >= ready and bool(reports.underway()),
                LIMIT,
                running,
                f"{ready} jobs",
            )
        killed, underway = time.time(), reports.underway()
        with stage.worker(worker, reports) as running:
            end, further = time.monotonic() + worker.watch, time.monotonic()
            while reports.runs()[:jobs].count(0) and time.monotonic() < end:
                running.check()
                if time.monotonic() > further:
                    late = ("--first", str(jobs))
                    stage.send("noop", 1, *late, marks=reports, variables=worker.variables)
                    further += LATER
                time.sleep(0.05)
            time.sleep(2)  # a second run of the same job may still be underway
        return _told(reports, jobs, killed, underway)


def _told(reports: Marks, jobs: int, killed: float, underway: set[int]) -> Numbers:
    again: dict[int, float] = {}
    for what, number, at in reports.log():
        if what == "start" and number in underway and at > killed:
            again.setdefault(number, at - killed)
    runs = reports.runs()[:jobs]
    numbers: Numbers = {
        "underway": len(underway),
        "again": len(again),
        "lost": runs.count(0),
        "twice": sum(count > 1 for count in runs),
    }
    if again:
        numbers |= {"first": min(again.values()), "last": max(again.values())}
    return numbers
