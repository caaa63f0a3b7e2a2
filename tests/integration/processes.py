"""Worker processes of the command line on one broker, and what their jobs wrote down."""

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from packhorse import Packhorse
from packhorse.testing import eventually
from tests.integration.jobs import DIARY

ROOT = Path(__file__).parents[2]


class Run(NamedTuple):
    """One run of a job; `end` is None where nothing was written down any more."""

    number: int
    pid: int
    start: float
    end: float | None
    deliveries: int


class Stable:
    """A folder with a configuration and a diary, and the workers that were started there.

    The broker is a SQLite file in it, unless another `url` is given; `store` is a companion's URL.
    """

    def __init__(
        self, folder: Path, lease: float, url: str | None = None, store: str | None = None
    ) -> None:
        self.config = folder / "packhorse.toml"
        url = url or f"sqlite:///{folder}/jobs.db"
        companion = f'store = "{store}"\n' if store else ""
        self.config.write_text(f'[connections.main]\nurl = "{url}"\nlease = {lease}\n{companion}')
        self.diary = folder / "diary"
        self.diary.touch()
        self.folder = folder
        self.app = Packhorse(config=self.config)
        self.workers: list[subprocess.Popen[bytes]] = []

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        """Starts `packhorse work` with the jobs of these tests: a worker alone, but for `--processes`."""
        number = len(self.workers)
        with (self.folder / f"worker-{number}.log").open("wb") as log:
            process = subprocess.Popen(
                self.command(*options),
                cwd=ROOT,
                env=self.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.workers.append(process)
        return process

    def command(self, *options: str) -> list[str]:
        command = [sys.executable, "-m", "packhorse", "--config", str(self.config), "work"]
        if "--processes" not in options:
            command += ["--processes", "0"]
        return [*command, "--import", "tests.integration.jobs", *options]

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(ROOT), *sys.path])
        return {**os.environ, DIARY: str(self.diary), "PYTHONPATH": path}

    def log(self, process: subprocess.Popen[bytes]) -> str:
        """What a worker printed."""
        number = self.workers.index(process)
        return (self.folder / f"worker-{number}.log").read_text()

    def runs(self) -> list[Run]:
        """The runs that the diary tells of, in the order of their start."""
        open_runs: dict[tuple[int, int], tuple[float, int]] = {}
        runs = []
        for line in self.diary.read_text().splitlines():
            what, number, pid, moment, deliveries = line.split()
            key = int(number), int(pid)
            if what == "start":
                open_runs[key] = float(moment), int(deliveries)
            else:
                start, counted = open_runs.pop(key)
                runs.append(Run(*key, start, float(moment), counted))
        runs += [Run(*key, start, None, counted) for key, (start, counted) in open_runs.items()]
        return sorted(runs, key=lambda run: run.start)

    def ended(self) -> int:
        """How many runs have ended."""
        return sum(line.startswith("end") for line in self.diary.read_text().splitlines())

    def becomes_empty(self, within: float = 20.0) -> None:
        eventually(lambda: self.app.queue().size() == 0, within=within, every=0.05)

    def close(self) -> None:
        """Ends the workers that still run, and the app."""
        for process in self.workers:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.app.close()


def kill(process: subprocess.Popen[bytes]) -> float:
    """Ends a process at once; since when it certainly is gone."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    return time.monotonic()


def by_job(runs: Iterable[Run]) -> dict[int, list[Run]]:
    jobs: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        jobs[run.number].append(run)
    return jobs


def overlapping(runs: Iterable[Run], gone: dict[int, float]) -> list[tuple[Run, Run]]:
    """Pairs of runs of one job at the same time; `gone` says when killed processes were gone."""
    pairs = []
    for several in by_job(runs).values():
        for before, after in pairwise(several):
            end = gone[before.pid] if before.end is None else before.end
            if after.start < end:
                pairs.append((before, after))
    return pairs
