"""Built-in middleware in real workers; the tests named d1 to d12 are the rows of the parity table."""

import asyncio
import contextvars
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager

import pytest

from packhorse import Job, JobContext, Packhorse, batch, events, job
from packhorse.errors import ConnectionLost, StoreRequired
from packhorse.middleware import (
    Change,
    FailOnException,
    Put,
    RateLimited,
    ReleaseWhen,
    Skip,
    SkipIfBatchCancelled,
    ThrottlesExceptions,
    Update,
    WithoutOverlapping,
    guard,
    per_day,
    per_second,
)
from packhorse.store.contract import Answers, Group, Store, Value
from packhorse.testing import Recorder, Running, eventually
from tests.integration.conftest import MEMORY, SQLITE, MakeApp
from tests.integration.journal import journal
from tests.integration.working import becomes_empty, drain, working

both = pytest.mark.parametrize("url", [MEMORY, SQLITE], indirect=True)
sqlite = pytest.mark.parametrize("url", [SQLITE], indirect=True)

tenant = contextvars.ContextVar("tenant", default="nobody")

Asking = Generator[Update | None, object, None]


@guard
def looks(ctx: JobContext) -> Asking:
    """Asks the store how many came before, and tells whoever is inside."""

    def change(values: Sequence[bytes | None]) -> Change:
        count = int(values[0] or b"0") + 1
        return Change([Put("looks", str(count).encode())], count)

    count = yield Update(["looks"], change)
    journal.note(f"guard {count}")
    token = tenant.set(f"tenant {count}")
    try:
        yield None
    finally:
        tenant.reset(token)
        journal.note("guard left")


def plainly(ctx: JobContext) -> Iterator[None]:
    journal.note(f"plain for {tenant.get()}")
    yield
    journal.note("plain left")


@job(middleware=[plainly, looks])
def looked() -> None:
    journal.note(f"ran for {tenant.get()}")


@job(middleware=[plainly, looks])
async def looked_on_the_loop() -> None:
    await asyncio.sleep(0)
    journal.note(f"ran for {tenant.get()}")


@both
@pytest.mark.parametrize("is_async", [False, True])
def test_d1_guards_stand_outside_and_what_they_set_reaches_the_job(
    app: Packhorse, is_async: bool
) -> None:
    (looked_on_the_loop if is_async else looked).dispatch()
    drain(app)
    assert journal.notes == [
        "guard 1",
        "plain for tenant 1",
        "ran for tenant 1",
        "plain left",
        "guard left",
    ]
    assert tenant.get() == "nobody"


@both
def test_d1_the_same_here_and_now(app: Packhorse) -> None:
    looked.dispatch_sync()
    looked_on_the_loop.dispatch_sync()
    assert [note for note in journal.notes if note.startswith("ran")] == [
        "ran for tenant 1",
        "ran for tenant 2",
    ]


@job(middleware=[RateLimited(per_second(10))], tries=1)
def limited(number: int) -> None:
    journal.note(f"{number} at {time.monotonic()}")


def moments() -> list[float]:
    return [float(note.split(" at ")[1]) for note in journal.notes]


@both
def test_d2_a_limit_spreads_jobs_and_loses_none(app: Packhorse, heard: Recorder) -> None:
    for number in range(12):
        limited.dispatch(number)
    with working(app):
        becomes_empty(app)
    ran = moments()
    assert len(ran) == 12
    assert app.failed.count() == 0
    # What a worker needs from letting a job through to its first line is no part of the promise.
    assert max(sum(m <= other < m + 0.9 for other in ran) for m in ran) <= 10
    assert 1.0 <= ran[-1] - ran[0] < 5.0
    put_back = heard.of(events.JobReleased)
    assert {one.why for one in put_back} == {f"rate:{limited.definition.name} is at its limit"}
    assert {one.attempt for one in put_back} == {1}
    assert len(put_back) < 40, "each waits for a moment of its own"


class Several(Job, middleware=[RateLimited(per_second(1000, burst=100), per_day(3, burst=3))]):
    def handle(self) -> None:
        journal.note("ran")


@both
def test_d2_several_limits_are_taken_all_or_none(app: Packhorse) -> None:
    for _ in range(6):
        Several().dispatch()
    drain(app)
    assert journal.notes == ["ran"] * 3
    counts = app.queue().counts()
    assert (counts.ready, counts.delayed) == (0, 3)
    (second,) = app.connection().store.read([f"rate:{Several.definition.name}:1"])
    assert isinstance(second, bytes)
    interval = per_second(1000).pace.interval
    due, _ = (int.from_bytes(second[n : n + 8], "big") for n in (0, 8))
    assert due < time.time_ns() + 3 * interval, (
        "those that the day kept back took no second's share"
    )


@job(middleware=[RateLimited(per_day(1), drop=True)])
def dropped() -> None:
    journal.note("ran")


@both
def test_d2_what_is_over_the_limit_may_be_dropped(app: Packhorse, heard: Recorder) -> None:
    dropped.dispatch()
    dropped.dispatch()
    drain(app)
    assert journal.notes == ["ran"]
    assert app.queue().size() == 0
    assert sorted(one.result for one in heard.of(events.JobProcessed)) == ["done", "skipped"]


@sqlite
def test_d3_two_workers_share_a_limit(url: str, app: Packhorse) -> None:
    for number in range(12):
        limited.dispatch(number)
    with Packhorse(url) as other, working(app), working(other):
        becomes_empty(app)
    ran = sorted(moments())
    assert len(ran) == 12
    assert max(sum(m <= one < m + 0.9 for one in ran) for m in ran) <= 10


running: Counter[str] = Counter()
most: Counter[str] = Counter()


counting = threading.Lock()


@contextmanager
def among(key: str) -> Iterator[None]:
    with counting:
        running[key] += 1
        most[key] = max(most[key], running[key])
    yield
    with counting:
        running[key] -= 1
    journal.note(key)


def alone_for(key: str, seconds: float) -> None:
    with among(key):
        time.sleep(seconds)


@pytest.fixture(autouse=True)
def _nobody_runs() -> None:
    running.clear()
    most.clear()


@job(middleware=[WithoutOverlapping(lambda ctx: ctx.arguments["key"], wait=0.05)], tries=1)
def alone(key: str, seconds: float = 0.02) -> None:
    alone_for(key, seconds)


@sqlite
def test_d4_a_lock_is_held_by_one_job_in_all_workers(
    url: str, app: Packhorse, heard: Recorder
) -> None:
    for _ in range(5):
        alone.dispatch("a")
        alone.dispatch("b")
    with Packhorse(url) as other, working(app), working(other):
        becomes_empty(app)
    assert most == {"a": 1, "b": 1}
    assert sorted(journal.notes) == ["a"] * 5 + ["b"] * 5
    assert app.failed.count() == 0
    assert all("another job holds lock:" in one.why for one in heard.of(events.JobReleased))


@job(middleware=[WithoutOverlapping(at_once=2, wait=0.05)], tries=1)
def in_pairs() -> None:
    with among("pairs"):
        eventually(lambda: most["pairs"] == 2, within=10)
        time.sleep(0.02)


@both
def test_c12_so_many_run_at_once_in_all_workers(url: str, app: Packhorse) -> None:
    for _ in range(8):
        in_pairs.dispatch()
    with Packhorse(url) as other, working(app), working(other):
        becomes_empty(app)
    assert most == {"pairs": 2}
    assert len(journal.notes) == 8


@job(middleware=[WithoutOverlapping("both", shared=True, drop=True)])
def one(meets: bool = False) -> None:
    journal.note("one")
    if meets:
        eventually(lambda: "two was dropped" in journal.notes, within=10)


@job(middleware=[WithoutOverlapping("both", shared=True, drop=True)])
async def two() -> None:
    journal.note("two")


@both
def test_d4_jobs_may_share_a_lock_and_be_dropped(app: Packhorse) -> None:
    @app.on(events.JobProcessed)
    def _(event: events.JobProcessed) -> None:
        if event.result == "skipped":
            journal.note("two was dropped")

    one.dispatch(True)
    with working(app):
        eventually(lambda: "one" in journal.notes, within=10)
        two.dispatch()
        becomes_empty(app)
    assert journal.notes == ["one", "two was dropped"]


@both
@pytest.mark.slow
def test_d4_a_lock_is_renewed_with_the_lease(make_app: MakeApp) -> None:
    app = make_app(lease=0.6)
    alone.dispatch("a", seconds=2.0)
    with working(app):
        eventually(lambda: running["a"] == 1, within=5)
        alone.dispatch("a")
        becomes_empty(app)
    assert most == {"a": 1}
    assert journal.notes == ["a", "a"]


DIES = """
import os, sys
from packhorse import Packhorse, job
from packhorse.middleware import WithoutOverlapping

@job(name="dies.locked", middleware=[WithoutOverlapping("k", wait=0.05)])
def locked(number: int) -> None:
    os._exit(9)

with Packhorse(sys.argv[1], lease=1.0) as app:
    locked.dispatch(1)
    app.worker(concurrency=1).run()
"""


@job(name="dies.locked", middleware=[WithoutOverlapping("k", wait=0.05)])
def locked(number: int) -> None:
    alone_for(f"locked {number}", 0.0)


@sqlite
@pytest.mark.slow
def test_d4_a_crash_frees_a_lock_within_the_lease(url: str, make_app: MakeApp) -> None:
    app = make_app(lease=1.0)
    app.connection().driver.local = True  # so that it runs here again, and notes what it does
    done = subprocess.run(
        [sys.executable, "-c", DIES, url], env=dict(os.environ), capture_output=True, timeout=60
    )
    assert done.returncode == 9, done.stderr.decode()
    died = time.monotonic()
    locked.dispatch(2)
    with working(app):
        eventually(lambda: len(journal.notes) == 2, within=10)
    assert time.monotonic() - died < 3.0
    assert sorted(journal.notes) == ["locked 1", "locked 2"]


class Down(Exception):
    pass


down: list[bool] = []


@job(
    tries=1,
    middleware=[ThrottlesExceptions(2, within=60, on=Down, pause=0.3, wait=0.05)],
)
def needs_a_service(number: int) -> None:
    journal.note(f"tried {number}")
    if down:
        down.pop()
        raise Down


@both
def test_d5_a_broken_service_is_left_alone_for_a_while(app: Packhorse, heard: Recorder) -> None:
    down.extend([True] * 2)
    for number in range(3):
        needs_a_service.dispatch(number)
    with working(app, concurrency=1):
        eventually(lambda: len(heard.of(events.JobProcessed)) == 3, within=20)
    assert len(journal.notes) == 5
    assert app.failed.count() == 0
    whys = Counter(one.why.split(":")[0] for one in heard.of(events.JobReleased))
    assert whys["Down was raised"] == 2
    assert whys["circuit"] >= 1
    assert app.connection().store.read([f"circuit:{needs_a_service.definition.name}"]) == [None]


@job(tries=1, middleware=[ThrottlesExceptions(1, within=60, on=Down, wait=0)])
def needs_it_too() -> None:
    journal.note("tried")
    raise Down


@sqlite
def test_d6_a_circuit_is_shared_by_workers(url: str, app: Packhorse) -> None:
    needs_it_too.dispatch()
    with working(app):
        eventually(lambda: app.queue().counts().delayed == 1, within=10)
    needs_it_too.dispatch()
    with Packhorse(url) as other:
        told = Recorder()
        other.on(events.JobReleased)(told)
        drain(other)
        (put_back,) = told.of(events.JobReleased)
    assert put_back.why == f"circuit:{needs_it_too.definition.name} is open"
    assert 50 < put_back.delay <= 60
    assert journal.notes == ["tried"]


@job(middleware=[Skip(when=lambda ctx: ctx.arguments["number"] == 1)])
def skipped(number: int) -> None:
    journal.note(f"ran {number}")


@both
def test_d7_a_condition_skips(app: Packhorse, heard: Recorder) -> None:
    skipped.dispatch(1)
    skipped.dispatch(2)
    drain(app)
    assert journal.notes == ["ran 2"]
    results = {one.result: one.why for one in heard.of(events.JobProcessed)}
    assert results == {"skipped": "a condition of its middleware", "done": ""}


closed: list[bool] = []


@job(tries=1, middleware=[ReleaseWhen(lambda ctx: closed and closed.pop(), delay=0.05)])
async def opened() -> None:
    journal.note("ran")


@both
def test_d8_a_condition_puts_back(app: Packhorse, heard: Recorder) -> None:
    closed.extend([True] * 5)
    opened.dispatch()
    with working(app):
        becomes_empty(app)
    assert journal.notes == ["ran"]
    assert len(heard.of(events.JobReleased)) == 5


@job(tries=5, middleware=[FailOnException(ValueError)])
def hopeless() -> None:
    journal.note("ran")
    raise ValueError("never")


@both
def test_d9_some_exceptions_fail_at_once(app: Packhorse) -> None:
    hopeless.dispatch()
    drain(app)
    assert journal.notes == ["ran"]
    (failed,) = app.failed.list()
    assert failed.failures[0].message == "never"


@job(middleware=[SkipIfBatchCancelled()])
def member() -> None:
    journal.note("ran")


@both
def test_d10_a_cancelled_batch_runs_no_more(app: Packhorse) -> None:
    of = batch([member.bind() for _ in range(3)]).finally_(member.bind()).dispatch()
    of.cancel()
    drain(app)
    assert journal.notes == []
    assert of.refresh().finished


@sqlite
def test_d11_middleware_is_of_the_code_and_not_of_the_message(url: str, app: Packhorse) -> None:
    """What travels is the job; whoever runs it makes its middleware anew, from the same store."""
    dropped.dispatch()
    with Packhorse(url) as other:
        drain(other)
    body = dropped.dispatch()
    assert body.state() == "waiting"
    drain(app)
    assert journal.notes == ["ran"], "the other app's run counted"


@both
def test_d12_nothing_of_it_costs_an_attempt_or_a_loss(app: Packhorse, heard: Recorder) -> None:
    """Put back many times, with one try and no loss allowed, it still runs."""

    @job(name="patient", tries=1, max_losses=0, middleware=[ReleaseGuard(6)])
    def patient(ctx: JobContext) -> None:
        journal.note(f"attempt {ctx.attempt}, delivery {ctx.deliveries}")

    patient.dispatch()
    with working(app):
        becomes_empty(app)
    assert journal.notes == ["attempt 1, delivery 1"]
    assert len(heard.of(events.JobReleased)) == 6


@guard
class ReleaseGuard:
    """Puts a job back so many times, before it starts."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(self, ctx: JobContext) -> Asking:
        def change(values: Sequence[bytes | None]) -> Change:
            count = int(values[0] or b"0")
            return Change([Put("put back", str(count + 1).encode())], count)

        count = yield Update(["put back"], change)
        assert isinstance(count, int)
        if count < self.times:
            ctx.release(0.01)
            return
        yield None


class Flaky(Store):
    """A store that is away for its next calls."""

    def __init__(self, store: Store, away: int) -> None:
        self.store = store
        self.away = away

    def read(self, keys: Sequence[str]) -> list[Value | None]:
        self._fail()
        return self.store.read(keys)

    def apply(self, groups: Sequence[Group]) -> list[Answers | None]:
        self._fail()
        return self.store.apply(groups)

    def close(self) -> None:
        self.store.close()

    def _fail(self) -> None:
        if self.away:
            self.away -= 1
            raise ConnectionLost("the store was told to be away")


@both
@pytest.mark.parametrize("away", [1, 2, 3])
def test_a_store_that_is_away_costs_nothing_but_time(
    app: Packhorse, heard: Recorder, away: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    @job(name="counted", tries=1, max_losses=0, middleware=[WithoutOverlapping("k")])
    def counted(ctx: JobContext) -> None:
        journal.note(f"attempt {ctx.attempt}, delivery {ctx.deliveries}")

    connection = app.connection()
    monkeypatch.setattr(connection, "_store", Flaky(connection.store, away))
    counted.dispatch()
    with working(app):
        becomes_empty(app)
    assert journal.notes == ["attempt 1, delivery 1"]
    assert app.failed.count() == 0
    assert connection.store.read(["lock:counted:k"]) == [None]


@job(middleware=[RateLimited(per_day(1)), WithoutOverlapping("k")])
def waiting_in_line() -> None:
    journal.note("ran")


@job
def holds_up(seconds: float) -> None:
    journal.note("holds up")
    time.sleep(seconds)


@both
def test_what_is_returned_unstarted_gives_back_what_it_took(
    app: Packhorse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two jobs are reserved for the one thread: the second waits for it, and the worker stops."""
    from packhorse.worker import fetcher

    monkeypatch.setattr(fetcher, "to_reserve", lambda load, concurrency, left: 2 - load.held)
    holds_up.dispatch(1.0)
    waiting_in_line.dispatch()
    worker = app.worker(concurrency=1)
    run = Running(worker.run)
    eventually(lambda: app.connection().store.read([LOCK]) != [None], within=10)
    worker.stop()
    run.answer(within=20)
    assert journal.notes == ["holds up"]
    assert app.connection().store.read([LOCK]) == [None]
    drain(app)
    assert journal.notes == ["holds up", "ran"]


LOCK = f"lock:{waiting_in_line.definition.name}:k"


@both
def test_an_inner_guard_that_says_no_costs_the_outer_ones_nothing(app: Packhorse) -> None:
    @job(name="unlucky", middleware=[RateLimited(per_day(1)), ReleaseGuard(1)])
    def unlucky() -> None:
        journal.note("ran")

    unlucky.dispatch()
    with working(app):
        becomes_empty(app)
    assert journal.notes == ["ran"]


def broken(ctx: JobContext) -> Asking:
    yield Update(["k"], lambda values: Change(answer=1 / len(ctx.tags)))
    yield None


@both
@pytest.mark.parametrize(
    ("middleware", "said"),
    [
        (guard(broken), "division by zero"),
        (lambda ctx: broken(ctx), "mark it with @guard"),
    ],
)
def test_what_goes_wrong_in_a_guard_is_a_failure_of_its_job_alone(
    app: Packhorse, middleware: Callable[[JobContext], Iterator[object]], said: str
) -> None:
    @job(name="mistaken", tries=2, middleware=[middleware])
    def mistaken() -> None:
        journal.note("ran")

    mistaken.dispatch()
    alone.dispatch("beside")
    drain(app)
    assert journal.notes == ["beside"]
    (failed,) = app.failed.list()
    assert [said in failure.message for failure in failed.failures] == [True, True]


class TellsLate(Job, name="tells_late"):
    key: str

    def middleware(self) -> list[object]:
        if self.key == "broken":
            raise KeyError("no middleware for this")
        return [WithoutOverlapping(self.key, wait=0.05)]

    def handle(self) -> None:
        alone_for(self.key, 0.02)


@both
def test_guards_that_depend_on_the_arguments(app: Packhorse) -> None:
    for key in ("a", "a", "b", "broken"):
        TellsLate(key).dispatch()
    with working(app):
        becomes_empty(app)
    assert most == {"a": 1, "b": 1}
    assert sorted(journal.notes) == ["a", "a", "b"]
    (failed,) = app.failed.list()
    assert "no middleware for this" in failed.failures[0].message


def test_a_connection_without_a_store_is_named() -> None:
    @job(name="storeless", middleware=[RateLimited(per_day(1), store="bare")])
    def storeless() -> None: ...

    connections = {"main": {"url": "memory://"}, "bare": {"url": "null://"}}
    with Packhorse(config={"connections": connections, "default": "main"}) as app:
        storeless.dispatch()
        drain(app)
        (failed,) = app.failed.list()
        assert "middleware of job storeless needs a store: connection 'bare'" in failed.reason
        assert 'store = "sqlite:///' in failed.reason


def test_a_job_that_runs_where_it_is_sent_needs_a_store_too() -> None:
    with Packhorse("sync://"), pytest.raises(StoreRequired, match="store = "):
        limited.dispatch(1)


def test_a_job_that_runs_where_it_is_sent_waits_for_its_turn() -> None:
    with Packhorse("sync://", store="memory://"):
        for number in range(4):
            limited.dispatch(number)
    ran = moments()
    assert len(ran) == 4
    assert ran[-1] - ran[0] >= 0.25
