"""Jobs that misbehave in every way that Python allows: the worker goes on, and tells the truth."""

import asyncio
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from packhorse import Job, JobContext, Packhorse, events, job
from packhorse.function_job import FunctionJob
from packhorse.testing import Recorder, eventually
from tests.integration.conftest import MEMORY, SQLITE
from tests.integration.journal import journal
from tests.integration.messages import envelope, send_body
from tests.integration.working import becomes_empty, working

both = pytest.mark.parametrize("url", [MEMORY, SQLITE], indirect=True)
memory = pytest.mark.parametrize("url", [MEMORY], indirect=True)


class Own(BaseException):
    """No Exception."""


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Deaf(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


RAISED: dict[str, BaseException] = {
    "SystemExit": SystemExit(1),
    "KeyboardInterrupt": KeyboardInterrupt(),
    "GeneratorExit": GeneratorExit(),
    "StopIteration": StopIteration(),
    "CancelledError": asyncio.CancelledError(),
    "Own": Own("mine"),
    "Mute": Mute(),
    "Deaf": Deaf(),
    "a group": ExceptionGroup("many", [ValueError(1), OSError(2)]),
    "half a character": ValueError("\ud800"),
    "a long text": ValueError("x" * 1_000_000),
    "RecursionError": RecursionError(),
    "MemoryError": MemoryError(),
}


@job
def good(number: int = 0) -> None:
    journal.note(f"good {number}")


@job
def raises(name: str) -> None:
    raise RAISED[name]


@job
async def raises_on_the_loop(name: str) -> None:
    await asyncio.sleep(0)
    raise RAISED[name]


@job
def gives_reason(ctx: JobContext, text: str) -> None:
    ctx.fail("\ud800" if text == "half" else text)


@job
def recurs(depth: int = 0) -> None:
    recurs(depth + 1)


class FailedRaises(Job):
    """Its end is told to it, and it does not take that well."""

    name: str

    def handle(self) -> None:
        raise LookupError(self.name)

    def failed(self, error: BaseException) -> None:
        journal.note("failed")
        raise RAISED[self.name]


class FailedRaisesOnTheLoop(Job):
    name: str

    async def handle(self) -> None:
        raise LookupError(self.name)

    def failed(self, error: BaseException) -> None:
        journal.note("failed")
        raise RAISED[self.name]


class ComputesTries(Job):
    name: str

    def tries(self) -> int:
        raise RAISED[self.name]

    def handle(self) -> None:
        journal.note("must not run")


class ComputesBackoff(Job, tries=3):
    delay: float

    def backoff(self, failures: int) -> float:
        return self.delay if self.delay >= 0 else float("inf")

    def handle(self) -> None:
        raise ValueError("again")


class BackoffRaises(Job, tries=3):
    name: str

    def backoff(self, failures: int) -> float:
        raise RAISED[self.name]

    def handle(self) -> None:
        raise ValueError("again")


@job
def releases(ctx: JobContext, far: str) -> None:
    ctx.release(float(far))


def breaks_before(ctx: JobContext) -> Iterator[None]:
    raise RAISED[ctx.tags[0]]
    yield


def breaks_after(ctx: JobContext) -> Iterator[None]:
    yield
    raise RAISED[ctx.tags[0]]


def yields_twice(ctx: JobContext) -> Iterator[None]:
    yield
    yield


def yields_nonsense(ctx: JobContext) -> Iterator[object]:
    yield 42


def swallows(ctx: JobContext) -> Iterator[None]:
    try:
        yield
    except ValueError:
        journal.note("swallowed")


@job(middleware=[breaks_before])
def broken_before() -> None:
    journal.note("must not run")


@job(middleware=[breaks_after])
def broken_after() -> None:
    journal.note("ran")


@job(middleware=[yields_twice])
def wrapped_twice() -> None:
    journal.note("ran")


@job(middleware=[yields_nonsense])
def wrapped_in_nonsense() -> None:
    journal.note("must not run")


@job(middleware=[swallows])
def swallowed() -> None:
    raise ValueError("never mind")


def work_off(app: Packhorse) -> None:
    """One slot, so that a thread or a task that died would be missed by the good jobs after it."""
    good.dispatch(99)
    with working(app, concurrency=1):
        becomes_empty(app)
    assert journal.count("good 99") == 1


@both
@pytest.mark.parametrize("name", RAISED)
@pytest.mark.parametrize("one", [raises, raises_on_the_loop], ids=["def", "async def"])
def test_whatever_is_raised_is_a_failure(
    app: Packhorse, name: str, one: FunctionJob[[str], Any, Any]
) -> None:
    handle = one.dispatch(name)
    one.dispatch(name)
    work_off(app)
    assert app.failed.count() == 2
    found = app.failed.get(handle.id)
    assert found is not None
    (failure,) = found.failures
    assert len(failure.message) + len(failure.traceback) <= 4200


@memory
def test_endless_recursion_is_a_failure(app: Packhorse) -> None:
    handle = recurs.dispatch()
    work_off(app)
    found = app.failed.get(handle.id)
    assert found is not None
    assert found.failures[0].type == "RecursionError"


@memory
@pytest.mark.parametrize("name", RAISED)
@pytest.mark.parametrize("one", [FailedRaises, FailedRaisesOnTheLoop])
def test_what_failed_raises_harms_nothing(
    app: Packhorse, name: str, one: type[FailedRaises] | type[FailedRaisesOnTheLoop]
) -> None:
    handle = one(name=name).dispatch()
    work_off(app)
    found = app.failed.get(handle.id)
    assert found is not None
    assert found.failures[0].type == "LookupError"
    assert journal.count("failed") == 1


@memory
@pytest.mark.parametrize("name", RAISED)
def test_what_a_method_raises_is_a_failure(app: Packhorse, name: str) -> None:
    handles = [ComputesTries(name=name).dispatch(), BackoffRaises(name=name).dispatch()]
    work_off(app)
    assert all(app.failed.get(handle.id) for handle in handles)
    assert journal.count("must not run") == 0


@memory
@pytest.mark.parametrize("name", RAISED)
@pytest.mark.parametrize("one", [broken_before, broken_after])
def test_what_a_middleware_raises_is_a_failure(
    app: Packhorse, name: str, one: FunctionJob[[], Any, Any]
) -> None:
    handle = one.using(tags=[name]).dispatch()
    work_off(app)
    assert app.failed.get(handle.id) is not None
    assert journal.count("must not run") == 0


@both
def test_a_reason_of_any_length_and_letters_is_kept(app: Packhorse) -> None:
    long, odd = gives_reason.dispatch("x" * 1_000_000), gives_reason.dispatch("half")
    work_off(app)
    reasons = [found.reason for one in (long, odd) if (found := app.failed.get(one.id))]
    assert len(reasons[0]) < 5000
    assert reasons[1] == "\\ud800"


@memory
def test_a_middleware_yields_once_and_nothing(app: Packhorse) -> None:
    handles = [wrapped_twice.dispatch(), wrapped_in_nonsense.dispatch()]
    work_off(app)
    for handle in handles:
        found = app.failed.get(handle.id)
        assert found is not None
        assert found.failures[0].type == "TypeError"
    assert journal.count("must not run") == 0


@memory
def test_a_middleware_may_deal_with_an_exception(app: Packhorse, heard: Recorder) -> None:
    handle = swallowed.dispatch()
    work_off(app)
    results = {event.id: event.result for event in heard.of(events.JobProcessed)}
    assert results[handle.id] == "done"
    assert app.failed.count() == 0


@pytest.mark.parametrize("far", ["1e300", "inf", "nan", "-5"])
def test_a_job_may_release_itself_to_the_end_of_time(app: Packhorse, far: str) -> None:
    releases.dispatch(far)
    good.dispatch(99)
    with working(app, concurrency=1) as worker:
        eventually(lambda: journal.count("good 99") == 1)
        worker.stop()
    counts = app.queue().counts()
    assert counts.ready + counts.delayed == 1
    assert counts.reserved == 0
    assert app.failed.count() == 0


@pytest.mark.parametrize("delay", [1e300, -1.0, 2000.0])
def test_a_backoff_to_the_end_of_time(app: Packhorse, delay: float) -> None:
    ComputesBackoff(delay=delay).dispatch()
    good.dispatch(99)
    with working(app, concurrency=1):
        wait_until_settled(app, worker_has_run="good 99")
    counts = app.queue().counts()
    assert (counts.ready, counts.delayed, counts.reserved) == (0, 1, 0)


def wait_until_settled(app: Packhorse, worker_has_run: str) -> None:
    """Until this note was made and nothing is reserved."""
    eventually(lambda: journal.count(worker_has_run) == 1 and not app.queue().counts().reserved)


@both
def test_overrides_in_a_message_are_checked_as_options_are(app: Packhorse) -> None:
    name = good.definition.name
    bad = [
        {"tries": -1},
        {"timeout": -5},
        {"backoff": -1},
        {"backoff": []},
        {"backoff": "soon"},
        {"max_losses": -2},
        {"colour": "red"},
        {"middleware": ["os.system"]},
    ]
    ids = [send_body(app, envelope(name, {}, overrides=each)) for each in bad]
    work_off(app)
    for id, each in zip(ids, bad, strict=True):
        found = app.failed.get(id)
        assert found is not None, each
        assert found.failures[0].type == "packhorse.errors.InvalidPayload"


@both
def test_the_id_inside_a_message_is_not_trusted(app: Packhorse) -> None:
    ids = [send_body(app, envelope(raises.definition.name, {"name": "Own"})) for _ in range(2)]
    work_off(app)
    assert {one.id for one in app.failed.list()} == set(ids)


@memory
def test_a_job_may_close_standard_streams_and_change_the_folder(
    app: Packhorse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    before = os.getcwd()

    @job(name="tests.moves_away")
    def moves_away() -> None:
        os.chdir("/")
        raise ValueError("away")

    handle = moves_away.dispatch()
    try:
        work_off(app)
    finally:
        os.chdir(before)
    assert app.failed.get(handle.id) is not None
