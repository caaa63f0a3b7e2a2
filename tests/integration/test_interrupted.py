"""Jobs that run when their worker is told to end hear of it, and hold up nobody."""

import signal
import threading
import time

import pytest

from packhorse import Job, JobContext, Packhorse, job
from packhorse.testing import Running, eventually
from tests.integration.conftest import MEMORY, SQLITE
from tests.integration.journal import journal
from tests.integration.working import drain

pytestmark = pytest.mark.parametrize("url", [MEMORY, SQLITE], indirect=True)

rest = threading.Event()


class Checkpoints(Job):
    """Does steps until it is interrupted."""

    name_: str

    def interrupted(self, signal: int) -> None:
        context = JobContext.current()
        assert context is not None
        journal.note(f"{self.name_} of {context.job.split('.')[-1]}: {signal}")
        journal.note(threading.current_thread().name)

    def handle(self, ctx: JobContext) -> None:
        journal.note("runs")
        while not ctx.wait(0.01):
            pass
        journal.note("checkpoint")
        ctx.release()


class Stubborn(Job):
    """Its `interrupted` takes its time and raises."""

    def interrupted(self, signal: int) -> None:
        rest.wait(10)
        raise ValueError("it cannot")

    def handle(self) -> None:
        journal.note("runs")
        rest.wait(0.5)


@job
async def waits_on_a_loop(ctx: JobContext) -> None:
    import asyncio

    journal.note("runs")
    while not ctx.interrupted:
        await asyncio.sleep(0.01)
    journal.note("async checkpoint")


@job
def over_before() -> None:
    journal.note("over")


def test_what_runs_is_told_once_and_may_write_down_how_far_it_is(app: Packhorse) -> None:
    Checkpoints(name_="first").dispatch()
    Checkpoints(name_="second").dispatch()
    worker = app.worker(concurrency=2)
    running = Running(worker.run)
    eventually(lambda: journal.count("runs") == 2)
    worker.stop()
    report = running.answer(within=10)
    assert (report.reason, report.unfinished) == ("stopped", 0)
    eventually(lambda: len(journal.notes) == 8)
    notes = journal.notes
    number = int(signal.SIGTERM)
    assert notes.count(f"first of Checkpoints: {number}") == 1
    assert notes.count(f"second of Checkpoints: {number}") == 1
    assert notes.count("packhorse-interrupt") == 2
    assert notes.count("checkpoint") == 2
    assert app.queue().counts().ready == 2  # they asked to go on elsewhere


def test_a_coroutine_sees_it(app: Packhorse) -> None:
    waits_on_a_loop.dispatch()
    worker = app.worker()
    running = Running(worker.run)
    eventually(lambda: journal.count("runs") == 1)
    worker.stop()
    assert running.answer(within=10).unfinished == 0
    assert journal.notes == ["runs", "async checkpoint"]


def test_one_that_takes_its_time_holds_up_nobody(
    app: Packhorse, caplog: pytest.LogCaptureFixture
) -> None:
    rest.clear()
    Stubborn().dispatch()
    over_before.dispatch()
    Checkpoints(name_="last").dispatch()
    worker = app.worker(concurrency=3)
    running = Running(worker.run)
    eventually(lambda: journal.count("runs") == 2)
    started = time.monotonic()
    worker.stop()
    assert running.answer(within=10).unfinished == 0
    assert time.monotonic() - started < 5
    assert journal.count("checkpoint") == 1
    rest.set()
    eventually(lambda: "its interrupted() raised" in caplog.text)


@job(timeout=0.3)
def waits_for_too_long(ctx: JobContext) -> None:
    ctx.wait(30)


def test_a_time_out_ends_the_waiting(app: Packhorse) -> None:
    waits_for_too_long.dispatch()
    started = time.monotonic()
    assert drain(app).unfinished == 0
    assert time.monotonic() - started < 5
    (failed,) = app.failed.list()
    assert failed.failures[-1].type == "packhorse.errors.JobTimedOut"


def test_outside_of_a_worker_nothing_interrupts(app: Packhorse) -> None:
    @job(name="inline")
    def inline(ctx: JobContext) -> bool:
        return ctx.wait(0.01) or ctx.interrupted

    assert inline.dispatch_sync() is False
