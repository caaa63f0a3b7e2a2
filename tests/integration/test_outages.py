"""Brokers that go away and replies that get lost: time is lost, no job and no count."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

import pytest

from packhorse import ConnectionLost, Job, JobContext, Packhorse, events, job
from packhorse.driver.outcome import Outcome, Settled
from packhorse.store.contract import Answers, Group, Store, Value
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
from tests.integration.working import becomes_empty, working
from tests.integration.wrapping import wrap

both = pytest.mark.parametrize("url", [MEMORY, SQLITE], indirect=True)
memory = pytest.mark.parametrize("url", [MEMORY], indirect=True)
LIKE = ["memory", "cluster", "sqs", "sqs-fifo", "beanstalkd"]
T = TypeVar("T")


@job
def notes(number: int) -> None:
    journal.note(f"ran {number}")


@job(tries=3)
def fails(ctx: JobContext) -> None:
    journal.note(f"attempt {ctx.attempt}, delivery {ctx.deliveries}")
    raise ValueError("every time")


@job
def releases_once(ctx: JobContext) -> None:
    journal.note(f"attempt {ctx.attempt}, delivery {ctx.deliveries}")
    if len(journal.notes) == 1:
        ctx.release()


class Dies(Job):
    def handle(self) -> None:
        raise ValueError("at once")

    def failed(self, error: BaseException) -> None:
        journal.note("failed")


@job
def takes(seconds: float) -> None:
    journal.note("started")
    time.sleep(seconds)
    journal.note("ended")


def runs() -> Counter[str]:
    return Counter(note for note in journal.notes if note.startswith("ran"))


@both
def test_lost_replies_cost_time_and_nothing_else(app: Packhorse, heard: Recorder) -> None:
    handles = [notes.dispatch(number) for number in range(200)]
    faulty = wrap(app, FaultyDriver)
    for verb in ("reserve", "settle", "renew"):
        faulty.lose_reply(verb, times=2)
        faulty.refuse(verb, times=2)
    with working(app, concurrency=4):
        becomes_empty(app, within=20)
    assert runs() == Counter({f"ran {number}": 1 for number in range(200)})
    assert app.failed.count() == 0
    assert heard.of(events.ConnectionTroubled)
    told = {event.id: event.deliveries for event in heard.of(events.JobProcessed)}
    told |= {event.id: event.deliveries for event in heard.of(events.SettlementUnknown)}
    assert told == {handle.id: 1 for handle in handles}
    assert not heard.of(events.LeaseLost)


@both
def test_a_reservation_whose_reply_was_lost_costs_nothing(app: Packhorse, heard: Recorder) -> None:
    """Though even the rescue fails at first."""
    handle = notes.dispatch(1)
    faulty = wrap(app, FaultyDriver)
    faulty.lose_reply("reserve")
    faulty.refuse("rescue", times=3)
    with working(app):
        becomes_empty(app)
    (done,) = heard.of(events.JobProcessed)
    assert (done.id, done.deliveries) == (handle.id, 1)


@both
def test_a_rescue_keeps_what_runs(app: Packhorse, heard: Recorder) -> None:
    takes.dispatch(0.5)
    faulty = wrap(app, FaultyDriver)
    with working(app, concurrency=2):
        eventually(lambda: journal.count("started"))
        faulty.lose_reply("reserve", times=2)
        notes.dispatch(1)
        eventually(lambda: runs()["ran 1"])
        becomes_empty(app)
    assert journal.count("started") == 1
    assert [event.deliveries for event in heard.of(events.JobProcessed)] == [1, 1]
    assert not heard.of(events.LeaseLost)


@both
@pytest.mark.parametrize("how", ["lose_reply", "refuse"])
def test_a_retry_counts_once(app: Packhorse, how: str) -> None:
    handle = fails.dispatch()
    faulty = wrap(app, FaultyDriver)
    with working(app):
        for attempt in range(1, 4):
            getattr(faulty, how)("settle", times=2)
            eventually(lambda n=attempt: len(journal.notes) >= n)  # type: ignore[misc]
        becomes_empty(app)
    assert journal.notes == [f"attempt {attempt}, delivery 1" for attempt in (1, 2, 3)]
    found = app.failed.get(handle.id)
    assert found is not None
    assert [failure.attempt for failure in found.failures] == [1, 2, 3]


@both
@pytest.mark.parametrize("how", ["lose_reply", "refuse"])
def test_a_release_is_no_failure(app: Packhorse, how: str) -> None:
    releases_once.dispatch()
    faulty = wrap(app, FaultyDriver)
    getattr(faulty, how)("settle", times=3)
    with working(app):
        becomes_empty(app)
    assert journal.notes == ["attempt 1, delivery 1"] * 2


@pytest.mark.parametrize("how", ["lose_reply", "refuse"])
def test_a_dead_job_is_kept_once(app: Packhorse, how: str) -> None:
    handle = Dies().dispatch()
    faulty = wrap(app, FaultyDriver)
    getattr(faulty, how)("settle", times=3)
    with working(app):
        becomes_empty(app)
    assert journal.notes == ["failed"]
    assert [one.id for one in app.failed.list()] == [handle.id]
    assert app.failed.retry("all") == 1
    assert app.queue().size() == 1


@both
def test_a_broker_that_is_away_for_a_while(app: Packhorse, heard: Recorder) -> None:
    faulty = wrap(app, Away)
    for number in range(50):
        notes.dispatch(number)
    takes.dispatch(0.3)
    with working(app, concurrency=2):
        eventually(lambda: journal.notes)
        faulty.away = True
        eventually(lambda: len(heard.of(events.ConnectionTroubled)) >= 4)
        with pytest.raises(ConnectionLost):
            notes.dispatch(51)
        faulty.away = False
        notes.dispatch(50)
        becomes_empty(app, within=15)
    assert runs() == Counter({f"ran {number}": 1 for number in range(51)})
    assert journal.count("ended") == 1
    assert app.failed.count() == 0


class Away(ForwardingDriver):
    """A broker that cannot be reached while it is told to be away."""

    away = False

    def forward(self, verb: str, call: Callable[[], T]) -> T:
        if self.away:
            raise ConnectionLost(f"{verb}: nobody is there")
        return call()


@both
def test_a_worker_that_starts_before_its_broker(app: Packhorse, heard: Recorder) -> None:
    notes.dispatch(1)
    faulty = wrap(app, Away)
    faulty.away = True
    with working(app):
        eventually(lambda: len(heard.of(events.ConnectionTroubled)) >= 2)
        faulty.away = False
        becomes_empty(app)
    assert runs() == {"ran 1": 1}


@both
def test_a_worker_whose_broker_never_comes_stops_when_told(app: Packhorse, heard: Recorder) -> None:
    wrap(app, Away).away = True
    worker = app.worker()
    running = Running(worker.run)
    eventually(lambda: len(heard.of(events.ConnectionTroubled)) >= 2)
    worker.stop()
    assert running.answer(within=5).jobs == 0


@both
def test_a_send_whose_reply_was_lost_is_told_and_has_happened(app: Packhorse) -> None:
    faulty = wrap(app, FaultyDriver)
    faulty.lose_reply("send")
    with pytest.raises(ConnectionLost):
        notes.dispatch(1)
    faulty.refuse("send")
    with pytest.raises(ConnectionLost):
        notes.dispatch(2)
    notes.dispatch(3)
    with working(app):
        becomes_empty(app)
    assert runs() == {"ran 1": 1, "ran 3": 1}


@pytest.mark.parametrize(
    "url", [f"memory://?like={name}&lose=4" for name in LIKE], indirect=True, ids=LIKE
)
def test_nothing_is_lost_where_every_fourth_reply_is(make_app: MakeApp) -> None:
    app = make_app(lease=1.0)
    for number in range(100):
        try:
            notes.dispatch(number)
        except ConnectionLost:
            continue  # it has happened
    with working(app, concurrency=4):
        becomes_empty(app, within=30)
    assert set(runs()) == {f"ran {number}" for number in range(100)}
    assert app.failed.count() == 0


class Failing(ForwardingDriver):
    """Answers "failed" for one message, so many times, and settles the others."""

    id: UUID
    times = 0

    def consumer(self, worker: str) -> "FailingConsumer":
        return FailingConsumer(self, self.driver.consumer(worker))


class FailingConsumer(ForwardingConsumer):
    driver: Failing

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        good = [each for each in outcomes if not self._fails(each)]
        answers = iter(super().settle(good))
        kept = {each.delivery.token for each in good}
        if len(good) < len(outcomes):
            self.driver.times -= 1
        return [next(answers) if each.delivery.token in kept else "failed" for each in outcomes]

    def _fails(self, outcome: Outcome) -> bool:
        return outcome.delivery.message.id == self.driver.id and self.driver.times > 0


@both
@pytest.mark.parametrize("times", [3, 10_000])
def test_an_outcome_that_the_broker_fails_to_carry_out_holds_up_nobody(
    make_app: MakeApp, times: int
) -> None:
    app = make_app(lease=1.0)
    failing = wrap(app, Failing)
    failing.id, failing.times = notes.dispatch(0).id, times
    with working(app, concurrency=2):
        eventually(lambda: runs()["ran 0"])
        for number in range(1, 50):
            notes.dispatch(number)
            eventually(lambda: runs()[f"ran {number}"], every=0.001)  # noqa: B023
        eventually(lambda: app.queue().size() <= 1, within=3)
        assert runs()["ran 49"] == 1
        failing.times = min(times, 3)
        becomes_empty(app)
    assert runs()["ran 0"] == (1 if times == 3 else runs()["ran 0"])
    assert app.failed.count() == 0


class Choking(ForwardingDriver):
    """Raises what no driver may raise whenever it is to settle one message."""

    id: UUID
    choking = True

    def consumer(self, worker: str) -> "ChokingConsumer":
        return ChokingConsumer(self, self.driver.consumer(worker))


class ChokingConsumer(ForwardingConsumer):
    driver: Choking

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        if self.driver.choking and any(e.delivery.message.id == self.driver.id for e in outcomes):
            raise ZeroDivisionError("a bug of the driver")
        return super().settle(outcomes)


@both
def test_an_outcome_that_the_driver_chokes_on_holds_up_nobody(make_app: MakeApp) -> None:
    app = make_app(lease=1.0)
    choking = wrap(app, Choking)
    choking.id = notes.dispatch(0).id
    for number in range(1, 50):
        notes.dispatch(number)
    with working(app, concurrency=2):
        eventually(lambda: app.queue().size() == 1)
        assert runs() == Counter({f"ran {number}": 1 for number in range(50)})
        choking.choking = False
        becomes_empty(app)
    assert runs()["ran 0"] == 2  # nobody knew that it was done
    assert app.failed.count() == 0


class FaultyStore(Store):
    """A companion store that is away while it is told to be."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.away = self.asked = False

    def read(self, keys: Sequence[str]) -> list[Value | None]:
        self._there()
        return self._store.read(keys)

    def apply(self, groups: Sequence[Group]) -> list[Answers | None]:
        self._there()
        return self._store.apply(groups)

    def close(self) -> None:
        self._store.close()

    def _there(self) -> None:
        if self.away:
            self.asked = True
            raise ConnectionLost("the store is away")


@pytest.mark.parametrize(
    "url", [f"memory://?like={name}" for name in LIKE[2:]], indirect=True, ids=LIKE[2:]
)
def test_a_companion_store_that_is_away_costs_time(app: Packhorse) -> None:
    connection = app.connection()
    store = FaultyStore(connection.store)
    connection._store = store
    store.away = True
    handle = fails.dispatch()
    with working(app):
        notes.dispatch(1)
        eventually(lambda: store.asked)  # at the latest when the last attempt has failed
        store.away = False
        becomes_empty(app, within=15)
    attempts = [note for note in journal.notes if note.startswith("attempt")]
    assert attempts == [f"attempt {attempt}, delivery 1" for attempt in (1, 2, 3)]
    assert [one.id for one in app.failed.list()] == [handle.id]
    assert runs() == {"ran 1": 1}
