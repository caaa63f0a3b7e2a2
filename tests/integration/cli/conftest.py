"""The program on a SQLite file: called in this process, or as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packhorse import registry
from tests.unit.cli.conftest import Call, call
from tests.unit.conftest import process_state

__all__ = ["call", "process_state"]

JOBS = """
import time
from pathlib import Path

from packhorse import Job, JobContext, job


@job(tries=2)
def divide(a: int, b: int) -> float:
    return a / b


@job(queue="slow")
def nap(seconds: float) -> None:
    Path(f"napping-{seconds}").touch()
    time.sleep(seconds)


class Clumsy(Job):
    def handle(self) -> None:
        raise ValueError("no")

    def failed(self, error: BaseException) -> None:
        raise RuntimeError("failed() is broken too")
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def shop(call: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    """`call` in a folder with a module of jobs, `cli_shop`, and settings that name both."""
    Path("cli_shop.py").write_text(JOBS)
    Path("packhorse.toml").write_text(
        'imports = ["cli_shop"]\n[connections.main]\nurl = "sqlite:///jobs.db"\n'
    )
    monkeypatch.delitem(sys.modules, "cli_shop", raising=False)
    # As in a process of its own: other test modules have defined jobs when they were collected.
    monkeypatch.setattr(registry, "_jobs", {})
    return call


@pytest.fixture
def start(shop: Call) -> Iterator[Start]:
    """`start("work", …)` starts the program as a process in that folder; all are ended at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "packhorse", *arguments],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PACKHORSE_PROCESSES": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
