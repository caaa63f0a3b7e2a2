"""Jobs that are cancelled: before they start, and while they run."""

import asyncio
import time

import pytest

from packhorse import (
    FunctionJob,
    JobCancelled,
    JobContext,
    Packhorse,
    Unsupported,
    events,
    job,
)
from packhorse.driver.abilities import Cancels
from packhorse.testing import Recorder, eventually
from tests.integration.conftest import MEMORY, SQLITE, MakeApp
from tests.integration.journal import journal
from tests.integration.working import becomes_empty, lists, working

able = pytest.mark.parametrize(
    "url",
    [MEMORY, pytest.param("memory://?like=cluster", id="cluster"), SQLITE],
    indirect=True,
)
SHORT = 0.6
"""A lease that is renewed after a fifth of a second: then a running job learns of its end."""


@job
def good() -> None:
    journal.note("good")


@job
def must_not_run() -> None:
    journal.note("must not run")


@job
async def sleeps_on_the_loop() -> None:
    journal.note("started")
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        journal.note("cancelled")
        raise


@job
def looks_at_its_context(ctx: JobContext, then: str) -> None:
    journal.note("started")
    end = time.monotonic() + 20
    while not ctx.cancelled and time.monotonic() < end:
        time.sleep(0.01)
    journal.note(f"told {ctx.cancelled}")
    if then == "JobCancelled":
        raise JobCancelled("as it was told")
    if then == "ValueError":
        raise ValueError("while it tidied up")
    if then == "release":
        ctx.release(30)


@job
async def will_not_stop() -> None:
    journal.note("started")
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        journal.note("went on")


def results(heard: Recorder) -> list[str]:
    return [event.result for event in heard.of(events.JobProcessed)]


@able
@pytest.mark.parametrize("delay", [0, 60])
def test_what_is_cancelled_before_its_start_does_not_run(
    app: Packhorse, heard: Recorder, delay: float
) -> None:
    handle = must_not_run.using(delay=delay).dispatch()
    assert handle.cancel()
    good.dispatch()
    with working(app):
        becomes_empty(app)
    assert journal.notes == ["good"]
    assert sorted(results(heard)) == ["cancelled", "done"]
    assert handle.state() == "gone"
    assert not handle.cancel()
    assert app.failed.count() == 0


@able
def test_what_waits_for_its_backoff_may_be_cancelled(app: Packhorse, heard: Recorder) -> None:
    @job(name="tests.fails_once", tries=2, backoff=60)
    def fails_once() -> None:
        journal.note("ran")
        raise ValueError("once")

    handle = fails_once.dispatch()
    with working(app):
        eventually(lambda: handle.state() == "delayed")
        assert handle.cancel()
        becomes_empty(app)
    assert journal.count("ran") == 1
    assert results(heard) == ["cancelled"]


@able
def test_a_coroutine_is_cancelled_while_it_runs(make_app: MakeApp) -> None:
    app, heard = make_app(lease=SHORT), Recorder()
    app.on(events.JobProcessed)(heard)
    handle = sleeps_on_the_loop.dispatch()
    with working(app):
        eventually(lambda: journal.count("started"))
        assert handle.cancel()
        becomes_empty(app)
    assert journal.notes == ["started", "cancelled"]
    assert results(heard) == ["cancelled"]
    assert app.failed.count() == 0


@able
def test_a_coroutine_that_goes_on_is_done(make_app: MakeApp) -> None:
    app, heard = make_app(lease=SHORT), Recorder()
    app.on(events.JobProcessed)(heard)
    handle = will_not_stop.dispatch()
    with working(app):
        eventually(lambda: journal.count("started"))
        handle.cancel()
        becomes_empty(app)
    assert journal.notes == ["started", "went on"]
    assert results(heard) == ["done"]


@job
def looks_now_and_then(ctx: JobContext) -> None:
    journal.note("started")
    end = time.monotonic() + 20
    while time.monotonic() < end:
        ctx.raise_if_cancelled()
        time.sleep(0.01)


@able
@pytest.mark.parametrize("sleeper", [sleeps_on_the_loop, looks_now_and_then], ids=["async", "def"])
def test_a_job_that_runs_hears_of_it_long_before_its_lease_is_renewed(
    app: Packhorse, heard: Recorder, sleeper: FunctionJob[[], object, None]
) -> None:
    handle = sleeper.dispatch()
    with working(app):
        eventually(lambda: journal.count("started"))
        began = time.monotonic()
        assert handle.cancel()
        becomes_empty(app)
        assert time.monotonic() - began < 5.0  # a third of the lease is ten seconds
    assert results(heard) == ["cancelled"]


@able
def test_it_is_heard_once_for_each_job(app: Packhorse) -> None:
    with working(app):
        for _ in range(2):
            handle = sleeps_on_the_loop.dispatch()
            eventually(lambda: journal.count("started"))
            assert app.queue().cancel(handle.id)
            becomes_empty(app)
            journal.clear()


@able
@pytest.mark.parametrize(
    ("then", "result"),
    [("return", "done"), ("JobCancelled", "cancelled"), ("ValueError", "cancelled")],
)
def test_a_thread_is_told_that_its_job_is_cancelled(
    make_app: MakeApp, then: str, result: str
) -> None:
    app, heard = make_app(lease=SHORT), Recorder()
    app.on(events.JobProcessed)(heard)
    handle = looks_at_its_context.dispatch(then)
    with working(app):
        eventually(lambda: journal.count("started"))
        assert handle.cancel()
        becomes_empty(app)
    assert journal.notes == ["started", "told True"]
    assert results(heard) == [result]
    assert app.failed.count() == 0


@able
def test_a_cancelled_job_that_puts_itself_back_does_not_run_again(make_app: MakeApp) -> None:
    app, heard = make_app(lease=SHORT), Recorder()
    app.on(events.JobProcessed)(heard)
    handle = looks_at_its_context.dispatch("release")
    with working(app):
        eventually(lambda: journal.count("started"))
        handle.cancel()
        becomes_empty(app)
    assert journal.notes == ["started", "told True"]
    assert results(heard) == ["cancelled"]


def test_a_broker_that_cannot_cancel_says_so(app: Packhorse) -> None:
    handle = good.dispatch()
    driver: object = app.connection().driver
    if isinstance(driver, Cancels):
        assert handle.cancel()
    else:
        assert not lists(app)
        with pytest.raises(Unsupported, match="cannot cancel"):
            handle.cancel()
        with pytest.raises(Unsupported, match="cannot look up"):
            handle.state()
    with working(app):
        becomes_empty(app)
