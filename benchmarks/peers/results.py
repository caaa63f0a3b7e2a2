"""The results: rows of numbers, the file that keeps them, and how a later piece joins it."""

import math
import os
import platform
import statistics
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.peers.contender import Workload

Numbers = dict[str, float]


class Row(Struct, frozen=True):
    """What one workload gave for one contender with one setting.

    `runs` has the numbers of each run by name; a run that could not tell a number leaves it out.
    `waiting` is how many jobs wait at the start, for a backlog; 0 elsewhere. `error` says why there
    is nothing.
    """

    service: str
    workload: Workload
    contender: str
    setting: str
    jobs: int
    runs: list[Numbers]
    measured: str
    waiting: int = 0
    command: str = ""
    note: str = ""
    error: str = ""

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """Which rows a newer one takes the place of."""
        return self.service, self.workload, self.contender, self.setting, self.waiting

    def value(self, name: str) -> float | None:
        """The median of that number over the runs; None if no run has it."""
        found = [run[name] for run in self.runs if name in run]
        return statistics.median(found) if found else None


class Results(Struct, frozen=True):
    """A results file. `machine` is where and with what the newest piece was measured."""

    machine: dict[str, str]
    versions: dict[str, dict[str, str]]
    safety: dict[str, str]
    rows: list[Row]


EMPTY = Results({}, {}, {}, [])


def merged(old: Results, new: Results) -> Results:
    """Both: rows of `new` take the place of those of `old` that measured the same."""
    rows = {row.key: row for row in (*old.rows, *new.rows)}
    return Results(
        {**old.machine, **new.machine},
        {**old.versions, **new.versions},
        {**old.safety, **new.safety},
        list(rows.values()),
    )


def load(path: Path) -> Results:
    """The results in that file; none if it is not there."""
    return msgspec.json.decode(path.read_bytes(), type=Results) if path.exists() else EMPTY


def save(path: Path, results: Results) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")


def percentile(values: Sequence[float], share: float) -> float:
    """The least of `values` that at least that share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def machine(server: str, persistence: str) -> dict[str, str]:
    """Where a piece is measured, and on which server."""
    return {
        "date": now()[:10],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "python": sys.version.split()[0],
        "server": server,
        "persistence": persistence,
    }


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def of(rows: Iterable[Row], workload: Workload) -> list[Row]:
    """The rows of one workload, packhorse's first and each contender's together."""
    return sorted(
        (row for row in rows if row.workload == workload),
        key=lambda row: (row.contender != "packhorse", row.contender, row.setting, row.waiting),
    )
