"""The current app: the first one made, or that of the block; never one that nobody chose."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier

import pytest

from packhorse import ConfigError, Packhorse, job
from packhorse.current import current_app, default_app
from packhorse.testing import Running


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing to make an app from but what a test sets."""
    for name in list(os.environ):
        if name.startswith("PACKHORSE_"):
            monkeypatch.delenv(name)
    with contextlib.chdir(tmp_path):
        yield


def test_the_first_app_is_the_default() -> None:
    assert default_app() is None
    first, second = Packhorse("memory://"), Packhorse("null://")
    assert current_app() is first is default_app()
    assert second is not first


def test_a_block_has_its_own() -> None:
    first, second, third = (Packhorse("memory://") for _ in range(3))
    with second:
        assert current_app() is second
        with third:
            assert current_app() is third
        assert current_app() is second
    assert current_app() is first


def test_an_app_may_be_entered_by_many_at_once() -> None:
    Packhorse("memory://")
    shared = Packhorse("memory://")
    steps = Barrier(2)

    def enter_first() -> Packhorse:
        with shared:
            steps.wait(5)
            steps.wait(5)
            return current_app()

    def enter_second() -> Packhorse:
        steps.wait(5)
        with shared:
            steps.wait(5)
            first.join()
            return current_app()

    first = Running(enter_first)
    second = Running(enter_second)
    assert first.answer() is shared
    assert second.answer() is shared
    assert current_app() is not shared


def test_a_block_ends_in_another_task_than_it_began() -> None:
    """As fixtures of asynchronous tests do."""
    Packhorse("memory://")
    other = Packhorse("memory://")

    async def main() -> None:
        await asyncio.create_task(asyncio.to_thread(other.__enter__))
        other.__exit__(None, None, None)

    asyncio.run(main())
    assert current_app() is not other


def test_a_task_sees_the_block_that_it_was_started_in() -> None:
    Packhorse("memory://")
    other = Packhorse("memory://")

    async def ask() -> Packhorse:
        return current_app()

    async def main() -> Packhorse:
        with other:
            task = asyncio.create_task(ask())
        return await task

    assert asyncio.run(main()) is other


def test_a_closed_default_leaves_its_place() -> None:
    first = Packhorse("memory://")
    first.close()
    assert default_app() is None
    second = Packhorse("memory://")
    assert current_app() is second


def test_without_any_app_one_is_made_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKHORSE_URL", "null://")
    assert current_app() is current_app() is default_app()
    with pytest.raises(ConfigError, match=r"before this app was made.*\(PACKHORSE_URL\); make"):
        Packhorse("memory://")
    current_app().close()
    Packhorse("memory://")


def test_many_threads_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKHORSE_URL", "null://")
    start = Barrier(8)

    def ask() -> Packhorse:
        start.wait(5)
        return current_app()

    assert len({id(each.answer()) for each in [Running(ask) for _ in range(8)]}) == 1


def test_without_anything_to_make_one_from_the_error_says_what_to_do() -> None:
    @job(name="lonely")
    def lonely() -> None: ...

    with pytest.raises(ConfigError, match="PACKHORSE_URL"):
        lonely.dispatch()
    assert default_app() is None


def test_a_job_goes_through_the_current_app() -> None:
    @job(name="travels")
    def travels() -> None: ...

    first, second = Packhorse("memory://"), Packhorse("memory://")
    travels.dispatch()
    with second:
        travels.dispatch()
        assert second.queue().size() == 1
        asyncio.run(travels.dispatch_async())
        assert second.queue().size() == 2
    assert first.queue().size() == 1


FORK = """
import os
from packhorse import Packhorse

app = Packhorse("memory://")
driver = app.connection().driver
dropped = []
type(driver).after_fork = lambda self: dropped.append(self)
child = os.fork()
if child == 0:
    os._exit(0 if dropped == [driver] else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert dropped == []
"""


def test_a_forked_child_drops_what_it_inherited() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
