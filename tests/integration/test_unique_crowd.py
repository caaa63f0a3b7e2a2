"""Threads and processes that push one key at the same time: one of them gets it, the others its handle."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packhorse import Packhorse, Unique, job
from tests.integration.journal import journal
from tests.integration.keys import nothing_left
from tests.integration.processes import ROOT
from tests.integration.working import drain

THREADS, PROCESSES = 16, 4


@job(name="crowd.unique", unique=Unique("k"))
def unique(number: int) -> None:
    journal.note(f"ran {number}")


PUSH = """
import sys
from packhorse import Packhorse
from tests.integration.test_unique_crowd import push_at_once
with Packhorse(config=sys.argv[1]) as app:
    print("ready", flush=True)
    sys.stdin.readline()
    for skipped, id in push_at_once(app, int(sys.argv[2])):
        print(skipped, id)
"""


def push_at_once(app: Packhorse, start: int = 0) -> list[tuple[bool, str]]:
    """Pushes from many threads; what each was told."""
    barrier = threading.Barrier(THREADS)

    def push(number: int) -> tuple[bool, str]:
        barrier.wait(20)
        handle = app.dispatch(unique.bind(number))
        return handle.skipped, str(handle.id)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(push, range(start, start + THREADS)))


def check(answers: list[tuple[bool, str]]) -> None:
    """One was stored, and all know which."""
    assert [skipped for skipped, _ in answers].count(False) == 1
    assert len({id for _, id in answers}) == 1


def test_of_many_threads_one_gets_the_key(app: Packhorse) -> None:
    for _ in range(3):
        journal.clear()
        check(push_at_once(app))
        drain(app)
        assert len(journal.notes) == 1
    assert nothing_left(app)


def test_of_many_threads_that_replace_one_another_the_last_one_runs(app: Packhorse) -> None:
    replacing = unique.using(unique=Unique("k", on_taken="replace"))
    with ThreadPoolExecutor(THREADS) as pool:
        handles = list(pool.map(lambda number: app.dispatch(replacing.bind(number)), range(64)))
    assert not any(handle.skipped for handle in handles)
    drain(app)
    assert len(journal.notes) == 1
    assert nothing_left(app)


@pytest.fixture(params=["sqlite", pytest.param("sqlite-store", id="a store on sqlite")])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A file that processes share: the broker's, or the store's of a connection whose broker is none."""
    file = tmp_path / "packhorse.toml"
    url = f"sqlite:///{tmp_path}/jobs.db"
    lines = ["[connections.main]", f'url = "{url}"']
    if request.param == "sqlite-store":
        lines = ["[connections.main]", 'url = "memory://?like=beanstalkd"', f'store = "{url}"']
    file.write_text("\n".join(lines))
    return str(file)


@pytest.mark.backend("sqlite")
def test_of_many_threads_and_processes_one_gets_the_key(config: str) -> None:

    pushers = [
        subprocess.Popen(
            [sys.executable, "-c", PUSH, config, str(number * THREADS)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    try:
        for one in pushers:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in pushers:
            assert one.stdin is not None
            one.stdin.write("\n")
            one.stdin.flush()
        lines = [line for one in pushers for line in one.communicate(timeout=60)[0].splitlines()]
    finally:
        for one in pushers:
            one.kill()
    answers = [(skipped == "True", id) for skipped, id in (line.split() for line in lines)]
    assert len(answers) == THREADS * PROCESSES
    check(answers)
