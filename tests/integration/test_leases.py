"""Leases: renewed for as long as a job runs, lost without harm, never used after their end."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from packhorse import JobContext, events, job
from packhorse.driver.abilities import Rescues
from packhorse.driver.contract import Driver
from packhorse.driver.message import Counts, Delivery, Renewed
from packhorse.driver.outcome import Done, Outcome, Settled
from packhorse.errors import ConnectionLost
from packhorse.testing import (
    FaultyDriver,
    ForwardingConsumer,
    ForwardingDriver,
    Recorder,
    Running,
    eventually,
)
from tests.integration.conftest import MEMORY, SQLITE, MakeApp
from tests.integration.journal import journal
from tests.integration.working import becomes_empty, clears, working
from tests.integration.wrapping import wrap

both = pytest.mark.parametrize("url", [MEMORY, SQLITE], indirect=True)
SQS = pytest.param("memory://?like=sqs", id="sqs")
by_clock = pytest.mark.parametrize("url", [SQS], indirect=True)
three = pytest.mark.parametrize("url", [MEMORY, SQS, SQLITE], indirect=True)

T = TypeVar("T")

LEASE = 0.6

go_on = threading.Event()


@job(timeout=0)
def takes(seconds: float) -> None:
    journal.note("started")
    time.sleep(seconds)
    journal.note("ended")


@job(timeout=0)
async def takes_on_the_loop(seconds: float) -> None:
    journal.note("started")
    await asyncio.sleep(seconds)
    journal.note("ended")


@job(timeout=0, tries=5)
def waits(ctx: JobContext) -> None:
    """The first run waits until it may go on or is told to end; the later ones do not."""
    journal.note(f"started {ctx.deliveries}")
    if ctx.deliveries == 1:
        eventually(lambda: ctx.cancelled or go_on.is_set(), within=20)
    journal.note(f"ended {ctx.deliveries}, cancelled {ctx.cancelled}")


@job(timeout=0)
async def waits_on_the_loop(ctx: JobContext) -> None:
    journal.note("started")
    try:
        await asyncio.sleep(20)
    except asyncio.CancelledError:
        journal.note(f"stopped, cancelled {ctx.cancelled}")
        raise


@pytest.fixture(autouse=True)
def _nobody_goes_on() -> None:
    go_on.clear()


@pytest.mark.slow
@three
def test_a_job_of_three_leases_runs_once(make_app: MakeApp) -> None:
    app = make_app(lease=1.0)  # the least that every broker can do
    takes.dispatch(3.0)
    takes_on_the_loop.dispatch(3.0)
    with working(app), working(app):
        becomes_empty(app)
    assert sorted(journal.notes) == ["ended", "ended", "started", "started"]
    assert app.failed.count() == 0


@both
def test_what_is_taken_away_is_not_settled(make_app: MakeApp) -> None:
    app, heard = make_app(lease=LEASE), Recorder()
    app.on(events.LeaseLost)(heard)
    handle = waits.dispatch()
    app.connection().driver.local = True  # so that it runs here again, and notes what it does
    driver: object = app.connection().driver
    assert isinstance(driver, Rescues)
    with working(app) as worker:
        eventually(lambda: journal.count("started 1"))
        assert driver.rescue(worker.name, blamed=[handle.id]) == 1
        eventually(lambda: journal.count("ended 2, cancelled False"))
        becomes_empty(app)
        eventually(lambda: heard.events)
    (lost,) = heard.of(events.LeaseLost)
    assert (lost.id, lost.deliveries) == (handle.id, 1)
    assert journal.notes[-1] == "ended 1, cancelled True"
    assert app.failed.count() == 0


def test_a_handler_is_told_that_its_lease_is_lost(make_app: MakeApp) -> None:
    app, heard = make_app(lease=1.0), Recorder()
    if not clears(app):
        return
    app.on(events.Event)(heard)
    waits_on_the_loop.dispatch()
    with working(app):
        eventually(lambda: journal.count("started"))
        app.queue().clear()
        eventually(lambda: journal.count("stopped, cancelled True"))
        eventually(lambda: heard.of(events.LeaseLost))
    assert app.queue().size() == 0
    assert app.failed.count() == 0
    assert not heard.of(events.JobProcessed)


@both
def test_a_worker_that_cannot_renew_loses_its_job_and_nothing_else(make_app: MakeApp) -> None:
    app, heard = make_app(lease=LEASE), Recorder()
    app.on(events.Event)(heard)
    faulty = wrap(app, FaultyDriver)
    faulty.refuse("renew", times=1_000)
    handle = waits.dispatch()
    with working(app):
        eventually(lambda: journal.count("started 1"))
        eventually(lambda: journal.count("ended 2, cancelled False"))
        becomes_empty(app)
        go_on.set()
        eventually(lambda: heard.of(events.LeaseLost))
    (lost,) = heard.of(events.LeaseLost)
    assert (lost.id, lost.deliveries) == (handle.id, 1)
    assert heard.of(events.ConnectionTroubled)
    (done,) = heard.of(events.JobProcessed)
    assert done.deliveries == 2
    assert app.failed.count() == 0


@both
def test_a_renewal_that_fails_is_repeated_in_time(make_app: MakeApp) -> None:
    app = make_app(lease=1.5)
    faulty = wrap(app, FaultyDriver)
    faulty.refuse("renew", times=2)
    faulty.lose_reply("renew", times=2)
    takes.dispatch(3.0)
    with working(app), working(app):
        becomes_empty(app)
    assert journal.notes == ["started", "ended"]


@both
def test_a_driver_that_chokes_on_renewing_does_not_end_the_keeper(make_app: MakeApp) -> None:
    app = make_app(lease=LEASE)
    choking = wrap(app, ChokesOnce)
    takes.dispatch(2.0)
    with working(app), working(app):
        becomes_empty(app)
    assert choking.choked
    assert journal.notes == ["started", "ended"]


class ChokesOnce(ForwardingDriver):
    """Raises what no driver may raise, at the first renewal."""

    choked = False

    def forward(self, verb: str, call: Callable[[], T]) -> T:
        if verb == "renew" and not self.choked:
            self.choked = True
            raise ZeroDivisionError("a bug of the driver")
        return call()


class Watched(ForwardingDriver):
    """Refuses renewals while it is told to, and notes what is asked for after a lease's end."""

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self.refusing = True
        self.late: list[str] = []

    def consumer(self, worker: str) -> "WatchedConsumer":
        return WatchedConsumer(self, self.driver.consumer(worker))


class WatchedConsumer(ForwardingConsumer):
    driver: Watched

    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        if self.driver.refusing:
            raise ConnectionLost("no renewing now")
        self.driver.late += [f"renewal {d.deliveries}" for d in deliveries if _is_over(d)]
        return super().renew(deliveries)

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        over = [each for each in outcomes if _is_over(each.delivery)]
        self.driver.late += [f"{type(each).__name__} {each.delivery.deliveries}" for each in over]
        return super().settle(outcomes)


def _is_over(delivery: Delivery) -> bool:
    return time.monotonic() >= delivery.deadline


@by_clock
def test_by_the_clock_nothing_is_asked_for_after_the_end(make_app: MakeApp) -> None:
    """The broker would do it, to whoever holds the message by then."""
    app, heard = make_app(lease=1.0), Recorder()
    app.on(events.Event)(heard)
    watched = wrap(app, Watched)
    handle = waits.dispatch()
    with working(app):
        eventually(lambda: journal.count("started 1"))
        eventually(lambda: journal.count("ended 1, cancelled True"))
        watched.refusing = False
        eventually(lambda: journal.count("ended 2, cancelled False"))
        becomes_empty(app)
        eventually(lambda: heard.of(events.LeaseLost))
    assert watched.late == []
    (lost,) = heard.of(events.LeaseLost)
    assert (lost.id, lost.deliveries) == (handle.id, 1)
    (done,) = heard.of(events.JobProcessed)
    assert done.deliveries == 2


@by_clock
def test_by_the_clock_a_late_settlement_takes_nothing_from_the_next_holder(
    make_app: MakeApp,
) -> None:
    app = make_app(lease=1.0)
    wrap(app, Watched)
    waits.dispatch()
    first = app.worker(concurrency=1)
    running = Running(first.run, max_jobs=1)
    eventually(lambda: journal.count("started 1"))
    other = app.connection().driver.consumer("other")
    (again,) = other.reserve(["default"], 1, wait=5).deliveries  # the lease is over
    assert again.deliveries == 2
    go_on.set()
    assert running.answer().jobs == 1  # it ran, though in vain
    assert app.queue().counts().reserved == 1
    assert other.settle([Done(again)]) == ["applied"]
    assert app.queue().size() == 0


@pytest.mark.slow
@three
def test_what_does_not_start_in_time_is_given_back_uncounted(make_app: MakeApp) -> None:
    """One slot, held by a long job; what was reserved behind it goes to a second worker."""
    app, heard = make_app(lease=2.0), Recorder()
    app.on(events.JobProcessed)(heard)
    for _ in range(50):
        takes.dispatch(0.0)  # a worker learns that jobs are quick, and takes some to hand
    with working(app, concurrency=1):
        becomes_empty(app)
        takes.dispatch(3.0)
        eventually(lambda: journal.count("started") == 51)
        handles = [takes.dispatch(0.0) for _ in range(20)]
        with working(app, concurrency=1):
            eventually(lambda: app.queue().counts() == Counts(reserved=1), within=2.5)
        becomes_empty(app)
    deliveries = {event.id: event.deliveries for event in heard.of(events.JobProcessed)}
    assert [deliveries[handle.id] for handle in handles] == [1] * 20
