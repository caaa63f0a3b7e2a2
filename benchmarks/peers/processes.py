"""Starts workers, measures the whole tree of their processes, and kills it."""

import os
import shlex
import signal
import string
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

TICK = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    """A live process; `cpu` is in seconds, with that of its children that have ended."""

    parent: int
    session: int
    cpu: float


def tree(roots: Iterable[int]) -> dict[int, Process]:
    """The live processes under `roots`, and those of their sessions whose parent is gone."""
    every = {int(entry): found for entry in os.listdir("/proc") if (found := _read(entry))}
    roots = set(roots)
    under: set[int] = set()
    added = {pid for pid, one in every.items() if pid in roots or one.session in roots}
    while added:
        under |= added
        added = {pid for pid, one in every.items() if one.parent in under} - under
    return {pid: every[pid] for pid in under}


def _read(entry: str) -> Process | None:
    if not entry.isdigit():
        return None
    try:
        stat = Path("/proc", entry, "stat").read_text()
    except OSError:  # it ended meanwhile
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    if fields[0] == "Z":  # it has ended, and nobody asked how
        return None
    return Process(int(fields[1]), int(fields[3]), sum(map(int, fields[11:15])) / TICK)


def cpu(roots: Iterable[int]) -> float:
    """The seconds of a core that the processes under `roots` have used."""
    return sum(process.cpu for process in tree(roots).values())


def memory(roots: Iterable[int]) -> float:
    """The MB that the processes under `roots` hold; what several share counts once."""
    return sum(map(_proportional, tree(roots))) / 1000


def _proportional(pid: int) -> int:
    """In kB; 0 if the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


class Running:
    """A worker's processes, in sessions of their own."""

    def __init__(self, command: str, variables: Mapping[str, str], copies: int, folder: Path):
        words = shlex.split(string.Template(command).safe_substitute(variables))
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `kill`)
        self.begun = time.time()
        self._processes = [
            subprocess.Popen(
                words,
                cwd=folder,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
            )
            for _ in range(copies)
        ]
        self.pids = [process.pid for process in self._processes]

    def check(self) -> None:
        """Raises if all of it ended by itself."""
        if all(process.poll() is not None for process in self._processes):
            code = self._processes[0].returncode
            raise RuntimeError(f"the worker ended by itself, with {code}: {self.output()}")

    def output(self, size: int = 1500) -> str:
        """The end of what it printed."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")[-size:]

    def kill(self) -> None:
        """SIGKILL to every process of the tree, none of which gets to clean up."""
        while pids := tree(self.pids):
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.01)  # and again, for what was forked meanwhile
        for process in self._processes:
            process.wait()
        self._output.close()
