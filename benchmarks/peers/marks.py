"""Reads what jobs report: the shared memory file that `jobs` writes to, and the log of slow ones."""

import mmap
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers.jobs import SLOT


class Noted(NamedTuple):
    """One line of the log: a job started or ended, at that moment."""

    what: str
    number: int
    at: float


class Marks:
    """The reports of `count` jobs, numbered from 0."""

    def __init__(self, path: Path, count: int) -> None:
        self.path, self.count = path, count
        path.write_bytes(bytes(count * (SLOT + 1)))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def runs(self) -> bytes:
        """How often each job ran to its end."""
        return self._map[self.count * SLOT :]

    def done(self) -> int:
        """How many jobs ran at least once."""
        return self.count - self.runs().count(0)

    def twice(self) -> int:
        return sum(runs > 1 for runs in self.runs())

    def values(self, first: int = 0) -> list[float]:
        """What the jobs that ran reported, of those numbered from `first`."""
        values = struct.unpack(f"{self.count}d", self._map[: self.count * SLOT])
        return [
            value for value, runs in zip(values[first:], self.runs()[first:], strict=True) if runs
        ]

    def log(self) -> list[Noted]:
        path = Path(f"{self.path}.log")
        lines = path.read_text().splitlines() if path.exists() else []
        split = (line.split() for line in lines)
        return [Noted(what, int(number), float(at)) for what, number, at in split]

    def underway(self) -> set[int]:
        """The slow jobs that have started and not ended."""
        log = self.log()
        return {n.number for n in log if n.what == "start"} - {
            n.number for n in log if n.what == "end"
        }

    def close(self) -> None:
        self._map.close()


@contextmanager
def marks(count: int) -> Iterator[Marks]:
    """Room for the reports of `count` jobs, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="peers-marks-") as folder:
        file = Marks(Path(folder, "marks"), count)
        try:
            yield file
        finally:
            file.close()
