"""`background://` and the end of a process: what it has is run, or kept; a crash loses it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from packhorse import Packhorse
from packhorse.testing import eventually

pytestmark = pytest.mark.backend("sqlite")

PROGRAM = """
import sys, time
from packhorse import Packhorse, job

config = {{
    "default": "main",
    "connections": {{
        "main": {{"url": "background://?threads=2", "store": "jobs"}},
        "jobs": {{"url": "sqlite:///jobs.db"}},
    }},
}}
app = Packhorse(config=config)

@job(name="ending.write")
def write(name: str, seconds: float = 0.0):
    open(name + ".started", "w").close()
    time.sleep(seconds)
    open(name, "w").close()

@job(name="ending.flaky", tries=2, backoff=3600)
def flaky(name: str):
    try:
        open(name, "x").close()
    except FileExistsError:
        open(name + ".again", "x").close()
    else:
        raise ValueError("the first time")

{body}
"""


def start(folder: Path, body: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=body)],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: "subprocess.Popen[str]") -> str:
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return errors


def files(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir() if not one.name.startswith("jobs.db")}


def test_a_process_that_ends_finishes_what_it_has(tmp_path: Path) -> None:
    body = """
for n in range(20):
    write.dispatch(str(n), 0.02)
flaky.dispatch("flaky")
"""
    assert ended(start(tmp_path, body)) == ""
    names = {str(n) for n in range(20)}
    assert files(tmp_path) == names | {f"{n}.started" for n in names} | {"flaky", "flaky.again"}


def test_what_was_to_start_later_is_a_failed_job_that_can_be_retried(tmp_path: Path) -> None:
    assert ended(start(tmp_path, 'write.using(delay=3600).dispatch("late")')) == ""
    assert files(tmp_path) == set()
    with Packhorse(f"sqlite:///{tmp_path}/jobs.db") as app:
        # Kept under the name of its connection, for that one to run it again.
        assert app.failed.count() == 0
    body = """
[kept] = app.failed.list()
assert kept.reason == "the process ended before it was to start", kept
assert app.failed.retry(kept.id) == 1
"""
    assert ended(start(tmp_path, body)) == ""
    assert files(tmp_path) == {"late", "late.started"}


def test_a_child_of_multiprocessing_finishes_too(tmp_path: Path) -> None:
    body = """
import multiprocessing
write.dispatch("parents", 0.05)
child = multiprocessing.get_context("fork").Process(target=write.dispatch, args=("childs", 0.05))
child.start()
child.join()
assert child.exitcode == 0
import os
assert os.path.exists("childs")
"""
    ended(start(tmp_path, body))
    assert files(tmp_path) == {"parents", "parents.started", "childs", "childs.started"}


def test_jobs_that_are_dispatched_at_the_very_end(tmp_path: Path) -> None:
    body = """
import atexit
atexit.register(lambda: write.dispatch("last"))
"""
    assert ended(start(tmp_path, body)) == ""
    assert files(tmp_path) == {"last", "last.started"}


def test_a_crash_loses_what_has_not_ended(tmp_path: Path) -> None:
    """As the page says."""
    process = start(
        tmp_path, 'write.dispatch("slow", 60.0); write.using(delay=60).dispatch("late")'
    )
    eventually(lambda: "slow.started" in files(tmp_path), within=30)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert files(tmp_path) == {"slow.started"}
    ended(start(tmp_path, "assert app.failed.count() == 0"))
