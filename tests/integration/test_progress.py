"""Progress: said by a running job, seen by its handle, on every broker."""

import asyncio
import time

import pytest

from packhorse import JobContext, Packhorse, Progress, StoreRequired, job
from packhorse.testing import eventually
from tests.integration.journal import journal
from tests.integration.working import becomes_empty, drain, working


@job
def counts_slowly(ctx: JobContext) -> None:
    ctx.progress(1, 3, "the first")
    while not journal.count("go on"):
        time.sleep(0.01)
    ctx.progress(2, 3)
    while not journal.count("end"):
        time.sleep(0.01)
    ctx.progress(3, 3, "all")


@job
async def counts_on_the_loop(ctx: JobContext) -> None:
    for step in range(10):
        ctx.progress(step)
        await asyncio.sleep(0)


@job
def says_nothing() -> None: ...


@job(tries=2)
def starts_over(ctx: JobContext) -> None:
    if ctx.attempt == 1:
        ctx.progress(90, 100)
        raise ValueError
    ctx.progress(10, 100, "x" * 5000)


def done_of(progress: Progress | None) -> float | None:
    return None if progress is None else progress.done


def test_what_a_running_job_says_is_seen(app: Packhorse) -> None:
    handle = counts_slowly.dispatch()
    before = time.time()
    with working(app):
        eventually(lambda: done_of(handle.progress()) == 1)
        said = handle.progress()
        assert said is not None
        assert (said.total, said.note, said.fraction) == (3, "the first", 1 / 3)
        assert before <= said.at <= time.time()
        journal.note("go on")
        eventually(lambda: done_of(handle.progress()) == 2)
        journal.note("end")
        becomes_empty(app)
    last = app.handle(handle.id).progress()
    assert last is not None
    assert (last.done, last.note, last.fraction) == (3, "all", 1.0)


def test_a_short_job_leaves_what_it_said_last(app: Packhorse) -> None:
    handle = counts_on_the_loop.dispatch()
    drain(app)
    said = handle.progress()
    assert said is not None
    assert (said.done, said.total, said.fraction) == (9, None, None)


def test_a_job_that_says_nothing_has_none(app: Packhorse) -> None:
    handle = says_nothing.dispatch()
    drain(app)
    assert handle.progress() is None


def test_a_later_attempt_starts_over(app: Packhorse) -> None:
    handle = starts_over.dispatch()
    with working(app):
        eventually(lambda: done_of(handle.progress()) == 10)
    said = handle.progress()
    assert said is not None
    assert len(said.note) < 1025


def test_without_a_store_there_is_nowhere_to_say_it() -> None:
    urls = {"main": "failover://first,second", "first": "memory://", "second": "memory://"}
    settings = {
        "default": "main",
        "connections": {name: {"url": url} for name, url in urls.items()},
    }
    with Packhorse(config=settings) as app:
        counts_on_the_loop.dispatch()
        drain(app)
        (failed,) = app.failed.list()
        assert failed.failures[-1].type == "packhorse.errors.StoreRequired"
        with pytest.raises(StoreRequired):
            app.handle(failed.id).progress()


def test_run_here_nobody_could_look() -> None:
    with Packhorse("sync://"):
        counts_on_the_loop.dispatch_sync()
        counts_on_the_loop.dispatch()


@pytest.mark.parametrize(("done", "total"), [(float("nan"), None), (1, float("inf"))])
def test_progress_is_told_in_numbers(done: float, total: float | None) -> None:
    @job(name="tests.odd_progress")
    def odd(ctx: JobContext) -> None:
        ctx.progress(done, total)

    with pytest.raises(ValueError, match="progress is told in numbers"):
        odd()
