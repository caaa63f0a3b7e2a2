"""What a module of `contenders/` declares: packages, pace, settings, and the workers to measure.

A module is imported twice: by the harness, which reads its CONTENDER and has none of the libraries, and in
the contender's own environment, where `jobs.SERVER` says where the server is and the library is there.
There it also has `send(job, *args)` and, where the library can, `send_many(job, arguments)`; `connect()` and
`disconnect()` if it needs them. All of these may be coroutines.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

Workload = Literal["raw", "dispatch", "bulk", "drain", "latency", "io", "kill", "backlog"]

NOTHING: Mapping[str, str] = MappingProxyType({})


class Worker(NamedTuple):
    """One way to run a contender's worker.

    `command` is a program of its environment with arguments; `$PEERS_SERVER` stands for the server's
    URL, there and in `variables`.
    `pace` is about how many jobs that do nothing it does a second: numbers of jobs follow from it.
    `variables` are those of the worker and of whoever sends to it. `copies` start side by side.
    `watch` is for how many seconds after a kill the interrupted jobs are waited for.
    """

    name: str
    workloads: tuple[Workload, ...]
    command: str
    pace: int
    variables: Mapping[str, str] = NOTHING
    copies: int = 1
    note: str = ""
    watch: float = 60


class Contender(NamedTuple):
    """One job queue. `requires` go to its environment; the versions of `reports` are told too.

    `safety` says with which settings it loses no jobs, or that it has none. `sends` and `bulk` are
    about how many jobs a second one process sends, one by one and by its call for many; 0: it has none.
    """

    requires: tuple[str, ...]
    reports: tuple[str, ...]
    safety: str
    sends: int = 0
    bulk: int = 0
    workers: tuple[Worker, ...] = ()
    service: str = "redis"


FOLDER = Path(__file__).parent / "contenders"


def names() -> list[str]:
    """All contenders, packhorse first."""
    found = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
    return sorted(found, key=lambda name: name != "packhorse")


def declared(name: str) -> Contender:
    """What the module of that name declares."""
    contender = importlib.import_module(f"benchmarks.peers.contenders.{name}").CONTENDER
    assert isinstance(contender, Contender)
    return contender
