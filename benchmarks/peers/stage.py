"""One contender on its server: what every workload does with it."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from string import Template

from benchmarks.peers import processes
from benchmarks.peers.contender import NOTHING, Contender, Worker
from benchmarks.peers.environments import ROOT, Environment
from benchmarks.peers.marks import Marks
from benchmarks.peers.server import Server

LIMIT = 180.0
"""Seconds after which a run that makes no end is given up."""


class Stage:
    """Sends jobs to a contender and runs its workers, from the harness' process."""

    def __init__(self, name: str, contender: Contender, server: Server) -> None:
        self.name, self.contender, self.server = name, contender, server
        self.environment = Environment(name, contender.requires)

    def send(
        self,
        job: str,
        count: int,
        *options: str,
        marks: Marks | None = None,
        variables: Mapping[str, str] = NOTHING,
    ) -> dict[str, float]:
        """Sends `count` jobs from a process of its own, and gives what `sender` printed."""
        words = ["-m", "benchmarks.peers.sender", self.name, job, str(count), *options]
        told = self.environment.run(*words, within=LIMIT, **self._variables(marks, variables))
        return {str(key): float(value) for key, value in json.loads(told).items()}

    def fill(
        self, job: str, count: int, marks: Marks, worker: Worker, within: float = LIMIT
    ) -> int:
        """Empties the server, sends `count` jobs the fastest way for `within` seconds; how many."""
        self.server.empty()
        options = ["--within", str(within), *(["--bulk"] if self.contender.bulk else [])]
        sent = self.send(job, count, *options, marks=marks, variables=worker.variables)
        return int(sent["sent"])

    @contextmanager
    def worker(self, worker: Worker, marks: Marks) -> Iterator[processes.Running]:
        """A worker at work, killed afterwards."""
        variables = self.environment.variables(**self._variables(marks, worker.variables))
        running = processes.Running(worker.command, variables, worker.copies, ROOT)
        try:
            yield running
        finally:
            running.kill()

    def _variables(self, marks: Marks | None, more: Mapping[str, str]) -> dict[str, str]:
        ours = {"PEERS_SERVER": self.server.url}
        if marks:
            ours["PEERS_MARKS"] = str(marks.path)
        return {**ours, **{key: Template(text).substitute(ours) for key, text in more.items()}}


def wait_until(
    done: Callable[[], bool], within: float, running: processes.Running, what: str
) -> None:
    """Waits for `done`; raises TimeoutError, or at once if the worker has ended by itself."""
    end = time.monotonic() + within
    while not done():
        running.check()
        if time.monotonic() > end:
            raise TimeoutError(f"{what} took more than {within:g} s: {running.output(600)}")
        time.sleep(0.02)
