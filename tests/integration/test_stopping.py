"""When a worker stops by itself, and how: nothing forgotten, nothing too much, nothing in disorder."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

from packhorse import JobContext, Packhorse, events, job
from packhorse.testing import ForwardingDriver, Recorder, Running, eventually
from tests.integration.conftest import MEMORY, SQLITE
from tests.integration.journal import journal
from tests.integration.messages import send_body
from tests.integration.working import becomes_empty, drain, working
from tests.integration.wrapping import wrap

both = pytest.mark.parametrize("url", [MEMORY, SQLITE], indirect=True)
memory = pytest.mark.parametrize("url", [MEMORY], indirect=True)

T = TypeVar("T")

go_on = threading.Event()


@job
def quick(number: int = 0) -> None:
    journal.note(f"quick {number}")


@job
def passes_on(left: int) -> None:
    journal.note("passed on")
    if left:
        passes_on.dispatch(left - 1)


@job
async def passes_on_from_the_loop(left: int) -> None:
    journal.note("passed on")
    if left:
        await passes_on_from_the_loop.dispatch_async(left - 1)


@job(tries=100)
def tries_hard(ctx: JobContext) -> None:
    journal.note("tried")
    if ctx.attempt < 100:
        raise ValueError("again")


@job
def waits() -> None:
    journal.note("started")
    go_on.wait(20)
    journal.note("ended")


@job(timeout=0)
async def sleeps_on_the_loop() -> None:
    journal.note("started")
    await asyncio.sleep(20)


@pytest.fixture(autouse=True)
def _nobody_goes_on() -> None:
    go_on.clear()


SOON = 4.0
"""Seconds within which a worker stops that was told to, or that must notice by itself: a little less
than its longest sleep, so that one which slept on would be late."""


@both
@pytest.mark.parametrize("concurrency", [1, 8])
def test_stop_when_empty_overlooks_nothing_that_jobs_send(app: Packhorse, concurrency: int) -> None:
    """What a job sends is there before the job is gone: the queue is never empty in between."""
    passes_on.dispatch(149)
    passes_on_from_the_loop.dispatch(149)
    assert drain(app, concurrency=concurrency).reason == "empty"
    assert journal.count("passed on") == 300
    assert app.queue().size() == 0


class LateAnswers(ForwardingDriver):
    """Tells what a reservation found a while later."""

    def forward(self, verb: str, call: Callable[[], T]) -> T:
        answer = call()
        if verb == "reserve":
            time.sleep(0.03)
        return answer


@both
@pytest.mark.parametrize("how", ["stop_when_empty", "stop_when_empty_for"])
def test_what_was_sent_while_a_reservation_came_back_empty(app: Packhorse, how: str) -> None:
    wrap(app, LateAnswers)
    passes_on.dispatch(9)
    worker = app.worker(concurrency=2)
    if how == "stop_when_empty":
        Running(worker.run, stop_when_empty=True).answer()
    else:
        Running(worker.run, stop_when_empty_for=0.04).answer()
    assert journal.count("passed on") == 10


@both
def test_stop_when_empty_overlooks_no_retry(app: Packhorse) -> None:
    tries_hard.dispatch()
    assert drain(app).reason == "empty"
    assert journal.count("tried") == 100


@both
def test_stop_when_empty_leaves_what_is_not_due(app: Packhorse) -> None:
    quick.dispatch(1)
    quick.using(delay=60).dispatch(2)
    report = drain(app)
    assert (report.reason, report.jobs, report.exit_code) == ("empty", 1, 0)
    assert app.queue().counts().delayed == 1


@both
def test_stop_when_empty_for_waits_that_long_and_no_longer(app: Packhorse) -> None:
    started = time.monotonic()
    running = Running(app.worker().run, stop_when_empty_for=0.8)
    eventually(lambda: time.monotonic() - started > 0.5)
    quick.dispatch(1)
    report = running.answer(within=SOON)
    assert (report.reason, report.jobs) == ("empty_for", 1)
    assert time.monotonic() - started > 1.2  # half a second and 0.8 after the job


@both
def test_an_idle_worker_stops_in_time(app: Packhorse) -> None:
    started = time.monotonic()
    running = Running(app.worker().run, stop_when_empty_for=1.0)
    assert running.answer(within=SOON).reason == "empty_for"
    assert time.monotonic() - started > 0.9


@both
@pytest.mark.parametrize("concurrency", [1, 8])
def test_max_jobs_is_exact(app: Packhorse, concurrency: int) -> None:
    for number in range(100):
        quick.dispatch(number)
    worker = app.worker(concurrency=concurrency)
    report = Running(worker.run, max_jobs=37).answer()
    assert (report.reason, report.jobs, report.exit_code) == ("max_jobs", 37, 0)
    assert len(journal.notes) == 37
    counts = app.queue().counts()
    assert (counts.ready, counts.reserved) == (63, 0)
    assert {one.deliveries for one in app.queue().jobs(limit=100)} == {0}


@both
def test_max_jobs_counts_what_runs_and_nothing_else(app: Packhorse) -> None:
    for number in range(10):
        send_body(app, b"noise")
        app.queue().push_raw("tests.nobody", {})
        quick.using(expires=-1).dispatch(number)
        quick.dispatch(number)
    report = Running(app.worker(concurrency=4).run, max_jobs=10).answer()
    assert (report.reason, report.jobs) == ("max_jobs", 10)
    assert len(journal.notes) == 10


@both
@pytest.mark.parametrize(("sent", "reason"), [(3, "max_jobs"), (0, "empty")])
def test_once_is_one_job_if_there_is_one(app: Packhorse, sent: int, reason: str) -> None:
    for number in range(sent):
        quick.dispatch(number)
    report = Running(app.worker().run, max_jobs=1, stop_when_empty=True).answer()
    assert (report.reason, report.jobs) == (reason, min(sent, 1))
    assert app.queue().size() == max(0, sent - 1)


@memory
def test_max_time(app: Packhorse) -> None:
    started = time.monotonic()
    report = Running(app.worker().run, max_time=0.5).answer(within=SOON)
    assert (report.reason, report.exit_code) == ("max_time", 0)
    assert time.monotonic() - started >= 0.5


@memory
def test_max_memory_has_an_exit_code_of_its_own(app: Packhorse) -> None:
    report = Running(app.worker().run, max_memory=1_000_000).answer()
    assert (report.reason, report.exit_code) == ("memory", 12)


@memory
def test_max_memory_that_is_not_reached(app: Packhorse) -> None:
    quick.dispatch(1)
    report = Running(app.worker().run, max_memory=2**40, stop_when_empty=True).answer()
    assert (report.reason, report.jobs) == ("empty", 1)


@both
def test_rest_is_a_pause_after_each_job(app: Packhorse) -> None:
    for number in range(5):
        quick.dispatch(number)
    started = time.monotonic()
    resting = app.worker(concurrency=1, rest=0.1)
    assert Running(resting.run, stop_when_empty=True).answer().jobs == 5
    assert time.monotonic() - started >= 0.4


@both
def test_stop_from_another_thread(app: Packhorse) -> None:
    stopping = app.worker()
    running = Running(stopping.run)
    quick.dispatch(1)
    becomes_empty(app)
    stopping.stop()
    report = running.answer(within=SOON)
    assert (report.reason, report.jobs, report.exit_code) == ("stopped", 1, 0)


@both
def test_stopping_lets_what_runs_finish_and_gives_the_rest_back(app: Packhorse) -> None:
    for number in range(200):
        quick.dispatch(number)  # so that the worker takes more to hand than it runs
    stopping = app.worker(concurrency=2)
    running = Running(stopping.run)
    becomes_empty(app)
    handles = [waits.dispatch() for _ in range(30)]
    eventually(lambda: journal.count("started") == 2)
    stopping.stop()
    eventually(lambda: app.queue().counts().reserved == 2)
    assert app.queue().counts().ready == 28
    assert {one.deliveries for one in app.queue().jobs(limit=30)} == {0}
    assert running.is_alive()
    go_on.set()
    report = running.answer()
    assert (report.jobs, report.unfinished) == (202, 0)
    assert app.queue().counts().ready == 28
    waiting = [one.id for one in app.queue().jobs(limit=30)]
    assert waiting == [one.id for one in handles if one.id in waiting]


@both
def test_grace_ends_and_the_report_says_so(app: Packhorse) -> None:
    waits.dispatch()
    sleeps_on_the_loop.dispatch()
    stopping = app.worker(grace=0.3)
    running = Running(stopping.run)
    eventually(lambda: journal.count("started") == 2)
    stopping.stop()
    report = running.answer(within=3)
    assert (report.unfinished, report.exit_code) == (2, 1)
    assert app.queue().counts().reserved == 2
    assert app.failed.count() == 0
    go_on.set()


@memory
def test_a_worker_in_another_thread_leaves_signals_alone(app: Packhorse) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with working(app):
        quick.dispatch(1)
        becomes_empty(app)
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@memory
def test_a_worker_in_the_main_thread_gives_signals_back(app: Packhorse) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    during = []

    @app.on(events.WorkerStarting)
    def look(event: events.WorkerStarting) -> None:
        during.append(signal.getsignal(signal.SIGTERM))

    app.worker().run(stop_when_empty=True)
    assert during != [before[0]]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@memory
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_worker_in_the_main_thread(
    app: Packhorse, heard: Recorder, number: signal.Signals
) -> None:
    @app.on(events.JobProcessed)
    def send(event: events.JobProcessed) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, number)

    quick.dispatch(1)
    report = app.worker().run(stop_when_empty_for=20)
    assert report.reason == "interrupted"
    assert [event.signal for event in heard.of(events.WorkerInterrupted)] == [number]
    (stopping,) = heard.of(events.WorkerStopping)
    assert stopping.reason == "interrupted"


@memory
def test_signals_in_the_middle_of_everything_do_not_lock_a_worker_up(app: Packhorse) -> None:
    """A handler runs between any two steps of the main thread, also where it holds a lock."""

    @app.on(events.WorkerInterrupted)
    def listen(event: events.WorkerInterrupted) -> None:
        journal.note("interrupted")

    for _ in range(30):
        flood = threading.Event()

        def send(flood: threading.Event = flood) -> None:
            while not flood.wait(0.0002):
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

        before = signal.signal(signal.SIGTERM, lambda number, frame: None)
        flooding = Running(send)
        try:
            app.worker().run(max_time=0.05)
        finally:
            flood.set()
            flooding.answer()
            signal.signal(signal.SIGTERM, before)
    assert journal.count("interrupted") >= 1


class Telling:
    """A service that tells what happens to it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def start(self) -> None:
        journal.note(f"{self.name} started")

    def stop(self) -> None:
        journal.note(f"{self.name} stopped")


class NeverStarts(Telling):
    def start(self) -> None:
        raise OSError("the port is taken")


class NeverStops(Telling):
    def stop(self) -> None:
        raise OSError("it is stuck")


def with_services(app: Packhorse, *services: Telling) -> None:
    """Gives the app services, as active plugins would."""
    made = {one.name: lambda app, one=one: one for one in services}
    vars(app.wiring)["services"] = made


@memory
def test_services_start_before_the_first_job_and_stop_after_the_last(app: Packhorse) -> None:
    with_services(app, Telling("first"), Telling("second"))
    quick.dispatch(1)
    drain(app)
    assert journal.notes == [
        "first started",
        "second started",
        "quick 1",
        "second stopped",
        "first stopped",
    ]


@memory
def test_a_service_that_does_not_start_keeps_the_worker_from_starting(app: Packhorse) -> None:
    with_services(app, Telling("first"), NeverStarts("second"))
    quick.dispatch(1)
    with pytest.raises(OSError, match="the port is taken"):
        drain(app)
    assert journal.notes == ["first started", "first stopped"]
    assert app.queue().counts().ready == 1


@memory
def test_a_service_that_does_not_stop_keeps_no_other_from_stopping(
    app: Packhorse, heard: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    with_services(app, Telling("first"), NeverStops("second"))
    quick.dispatch(1)
    report = drain(app)
    assert (report.reason, report.jobs) == ("empty", 1)
    assert journal.notes[-1] == "first stopped"
    assert "second" in caplog.text
    assert "it is stuck" in caplog.text
    assert heard.of(events.WorkerStopping)
