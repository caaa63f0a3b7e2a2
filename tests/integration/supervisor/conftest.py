"""A supervisor on a SQLite file, its processes, and an orderly end for all of them."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from packhorse.testing import eventually
from tests.integration.processes import Stable

JOBS = "tests.integration.supervisor.jobs"


class Team(Stable):
    """A stable whose workers are supervisors."""

    def supervisor(self, *options: str, processes: int = 1) -> "subprocess.Popen[bytes]":
        """Starts a supervisor with the jobs of these tests."""
        return self.worker("--processes", str(processes), "--import", JOBS, *options)

    def at_work(
        self, supervisor: "subprocess.Popen[bytes]", processes: int, within: float = 20.0
    ) -> list[int]:
        """The ids of its processes once so many say that they have begun."""

        def begun() -> bool:
            return self.log(supervisor).count(" known\n") >= processes

        eventually(begun, within=within, every=0.02)
        return children(supervisor.pid)

    def close(self) -> None:
        processes = [pid for one in self.workers if one.poll() is None for pid in children(one.pid)]
        super().close()
        for pid in processes:
            send(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """The processes that a process has started and that have not ended, the oldest first."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(stat.parent.name))
    return sorted(found)


def send(pid: int, number: signal.Signals) -> float:
    """Sends a signal to a process that may be gone; when it was sent."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    return time.monotonic()


@pytest.fixture
def make_team(tmp_path: Path) -> Iterator[Callable[[float], Team]]:
    made: list[Team] = []

    def make(lease: float) -> Team:
        made.append(Team(tmp_path, lease))
        return made[-1]

    yield make
    for team in made:
        team.close()


@pytest.fixture
def team(make_team: Callable[[float], Team]) -> Team:
    """With a lease that no test outlives: what comes back sooner was given back."""
    return make_team(120.0)
