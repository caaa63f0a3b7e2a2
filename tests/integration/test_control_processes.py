"""Worker processes under a supervisor, told by commands and signals: restart, pause, go on, stop."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from packhorse.testing import eventually
from tests.integration.jobs import lasts, quick
from tests.integration.processes import ROOT, Stable

pytestmark = [pytest.mark.slow, pytest.mark.backend("sqlite")]


@pytest.fixture
def stable(tmp_path: Path) -> Iterator[Stable]:
    stable = Stable(tmp_path, lease=30.0)
    yield stable
    stable.close()


def packhorse(stable: Stable, *arguments: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "packhorse", "--config", str(stable.config), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def pids(stable: Stable) -> set[int]:
    return {one.pid for one in stable.app.connection().control.workers()}


def test_restart_replaces_every_process_and_loses_nothing(stable: Stable) -> None:
    supervisor = stable.worker("--processes", "2", "--concurrency", "1")
    eventually(lambda: len(pids(stable)) == 2, within=20)
    before = pids(stable)
    stable.app.dispatch(lasts.bind(1, 3.0))
    eventually(lambda: len(stable.runs()) == 1, within=10)
    assert packhorse(stable, "restart").startswith("2 workers of connection 'main' told")
    eventually(lambda: len(pids(stable)) == 2 and not pids(stable) & before, within=30)
    assert [run.end is not None for run in stable.runs()] == [True]  # it was waited for
    stable.app.dispatch(quick.bind(2))
    eventually(lambda: stable.ended() == 2, within=10)
    assert stable.runs()[1].pid not in before
    supervisor.terminate()
    assert supervisor.wait(timeout=20) == 0, stable.log(supervisor)
    assert pids(stable) == set()


def test_workers_are_listed_while_they_live(stable: Stable) -> None:
    supervisor = stable.worker("--processes", "2", "--concurrency", "3", "--name", "mule")
    handle = stable.app.dispatch(lasts.bind(1, 60.0))
    eventually(lambda: len(stable.runs()) == 1, within=20)
    eventually(lambda: any(one["busy"] for one in listed(stable)), within=20, every=0.5)
    first, second = sorted(listed(stable), key=lambda one: one["busy"])
    assert first["name"].startswith("mule-")
    assert (first["busy"], second["busy"], second["concurrency"]) == (0, 1, 3)
    assert [one["id"] for one in second["running"]] == [str(handle.id)]
    assert "tests.integration.jobs.lasts" in packhorse(stable, "workers")
    os.kill(first["pid"], signal.SIGKILL)
    # Another has it off the list at once, and its successor is on it.
    eventually(
        lambda: len(listed(stable)) == 2 and first["pid"] not in pids(stable), within=20, every=0.5
    )
    supervisor.kill()


def listed(stable: Stable) -> list[dict]:  # type: ignore[type-arg]
    found: list[dict] = json.loads(packhorse(stable, "workers", "--json"))  # type: ignore[type-arg]
    return found


def test_a_signal_pauses_a_worker_and_another_lets_it_go_on(stable: Stable) -> None:
    supervisor = stable.worker("--processes", "2")
    # Right away: those that are not ready for it yet are not to die of it.
    time.sleep(0.05)
    eventually(lambda: handles(supervisor.pid, signal.SIGUSR2), within=20)
    supervisor.send_signal(signal.SIGUSR2)
    eventually(lambda: states(stable) == ["paused", "paused"], within=30)
    stable.app.dispatch(quick.bind(1))
    time.sleep(0.5)
    assert stable.runs() == []
    victim = next(iter(pids(stable)))
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(pids(stable) - {victim}) == 2, within=20)
    eventually(lambda: states(stable) == ["paused", "paused"], within=30)
    assert stable.runs() == []  # who takes its place is paused too
    supervisor.send_signal(signal.SIGCONT)
    eventually(lambda: stable.ended() == 1, within=20)
    eventually(lambda: states(stable) == ["working", "working"], within=10)
    log = stable.log(supervisor)
    assert log.count("paused: a signal said so") == 3
    assert log.count("goes on: a signal said so") == 2
    supervisor.terminate()
    assert supervisor.wait(timeout=20) == 0, log


def test_one_process_alone_is_paused(stable: Stable) -> None:
    worker = stable.worker()
    eventually(lambda: pids(stable) == {worker.pid}, within=20)
    worker.send_signal(signal.SIGUSR2)
    eventually(lambda: states(stable) == ["paused"], within=10)
    stable.app.dispatch(quick.bind(1))
    time.sleep(0.5)
    assert stable.runs() == []
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=10) == 0


def test_a_store_that_is_away_stops_no_worker(stable: Stable) -> None:
    file = stable.folder / "store.db"
    with stable.config.open("a") as config:
        config.write(f'store = "sqlite:///{file}"\n')
    file.write_bytes(b"this is no database" * 1000)
    worker = stable.worker()
    stable.app.dispatch(quick.bind(1))
    eventually(lambda: stable.ended() == 1, within=20)
    file.unlink()  # it comes back empty
    eventually(lambda: listed(stable) != [], within=30, every=0.5)
    with sqlite3.connect(file, isolation_level=None) as hold:
        hold.execute("BEGIN EXCLUSIVE")  # whoever writes waits
        eventually(lambda: silent(stable) > 12, within=30, every=0.5)
        stable.app.dispatch(quick.bind(2))
        eventually(lambda: stable.ended() == 2, within=5)
        worker.terminate()
        assert worker.wait(timeout=10) == 0
        hold.execute("ROLLBACK")
    log = stable.log(worker)
    assert "Traceback" not in log


def silent(stable: Stable) -> float:
    """For how many seconds the worker has not said that it lives; a beat lasts ten."""
    (one,) = listed(stable)
    return time.time() - datetime.fromisoformat(one["beat"]).timestamp()


def states(stable: Stable) -> list[str]:
    return sorted(one.state for one in stable.app.connection().control.workers())


def handles(pid: int, number: signal.Signals) -> bool:
    """Whether a process handles a signal."""
    (line,) = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("SigCgt")
    ]
    return bool(int(line.split()[1], 16) >> (number - 1) & 1)
