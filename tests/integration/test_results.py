"""Results: kept by a worker, waited for by a handle, on every broker."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from packhorse import (
    Job,
    JobCancelled,
    JobContext,
    JobFailedError,
    NoResult,
    Packhorse,
    StoreRequired,
    Unique,
    batch,
    job,
)
from packhorse.driver.abilities import Cancels
from packhorse.result import result_key
from packhorse.store.contract import Delete, Group
from packhorse.testing import Running, eventually
from tests.integration.conftest import MakeApp
from tests.integration.journal import journal
from tests.integration.working import drain, lists, working

SOON = 10.0


@job(keep_result=60)
def adds(a: int, b: int) -> int:
    return a + b


@job(keep_result=60)
async def finds(name: str) -> Path:
    return Path("/barn") / name


@job(keep_result=60)
def nothing() -> None: ...


@job(keep_result=60)
def fails(ctx: JobContext) -> int:
    journal.note("tried")
    raise ValueError("no such mule")


@job(keep_result=60, tries=2)
def fails_once(ctx: JobContext) -> str:
    if ctx.attempt == 1:
        raise ValueError("not yet")
    return "at last"


@job(keep_result=60)
def cannot_travel() -> Any:
    return object()


@job(keep_result=60)
def says_another(text: str) -> int:
    return text  # type: ignore[return-value]


@job(keep_result=60)
def holds_a_nan() -> list[float]:
    return [float("nan")]


@job
def keeps_nothing() -> int:
    return 7


class Doubles(Job, keep_result=60):
    number: int

    def handle(self) -> dict[str, int]:
        return {"twice": 2 * self.number}


class Chooses(Job):
    kept: bool

    def keep_result(self) -> float:
        return 60 if self.kept else 0

    def handle(self) -> str:
        return "chosen"


def test_a_result_is_what_the_handler_returned_with_its_type(app: Packhorse) -> None:
    handles = adds.dispatch(1, 2), finds.dispatch("mule"), nothing.dispatch()
    doubles = Doubles(21).dispatch()
    with working(app):
        assert handles[0].result(timeout=SOON) == 3
        assert handles[1].result(timeout=SOON) == Path("/barn/mule")
        assert handles[2].result(timeout=SOON) is None
        assert doubles.result(timeout=SOON) == {"twice": 42}
    assert handles[0].result() == 3  # as often as one likes


def test_who_waits_before_the_job_runs_is_answered(app: Packhorse) -> None:
    handle = adds.using(delay=0).dispatch(2, 2)
    waiting = Running(handle.result, timeout=SOON)
    with working(app):
        assert waiting.answer(within=SOON) == 4


def test_a_result_is_awaited_off_the_loop(app: Packhorse) -> None:
    handle = adds.dispatch(2, 3)

    async def waits() -> int:
        return await handle.result_async(timeout=SOON)

    with working(app):
        assert asyncio.run(waits()) == 5


def test_only_the_id_is_enough(app: Packhorse) -> None:
    id = finds.dispatch("donkey").id
    with working(app):
        assert app.handle(id).result(timeout=SOON) == Path("/barn/donkey")
        assert app.handle(str(id), connection="main").result() == Path("/barn/donkey")


def test_a_failure_is_raised_with_its_traceback(app: Packhorse) -> None:
    handle = fails.dispatch()
    with working(app), pytest.raises(JobFailedError) as caught:
        handle.result(timeout=SOON)
    error = caught.value
    assert str(error) == (
        f"job {fails.definition.name} {handle.id} has failed: failed at attempt 1 of 1: "
        "ValueError: no such mule"
    )
    assert error.reason == "failed at attempt 1 of 1"
    assert error.failure is not None
    assert error.failure.type == "ValueError"
    assert 'raise ValueError("no such mule")' in str(error.__cause__)


def test_only_the_last_attempt_counts(app: Packhorse) -> None:
    handle = fails_once.dispatch()
    with working(app):
        assert handle.result(timeout=SOON) == "at last"


def test_a_retry_of_a_failed_job_replaces_its_result(app: Packhorse) -> None:
    worked = fails_once.using(tries=1).dispatch()
    drain(app)
    with pytest.raises(JobFailedError):
        worked.result(timeout=SOON)
    fails_once.definition.run, run = lambda *_: "mended", fails_once.definition.run
    try:
        assert app.failed.retry(worked.id) == 1
        drain(app)
    finally:
        fails_once.definition.run = run
    assert worked.result(timeout=SOON) == "mended"


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (cannot_travel.bind(), "a object cannot travel"),
        (says_another.bind("mule"), "wrong result: Expected `int`"),
        (holds_a_nan.bind(), "NaN"),
    ],
)
def test_a_result_that_cannot_be_kept_fails_the_job(app: Packhorse, sent: object, why: str) -> None:
    handle = sent.dispatch()  # type: ignore[attr-defined]
    with working(app), pytest.raises(JobFailedError, match=rf"its result cannot be kept: .*{why}"):
        handle.result(timeout=SOON)
    (failed,) = app.failed.list()
    assert failed.reason.startswith("its result cannot be kept: ")


def test_what_cannot_be_kept_is_no_matter_to_a_job_that_keeps_nothing(app: Packhorse) -> None:
    cannot_travel.using(keep_result=0).dispatch()
    drain(app)
    assert app.failed.count() == 0


def test_a_job_that_keeps_no_result_says_so_at_once(app: Packhorse) -> None:
    with pytest.raises(NoResult, match=r"say for how many seconds, @job\(keep_result=3600\)"):
        keeps_nothing.dispatch().result()
    (of_many,) = app.queue().push_many([keeps_nothing.bind()])
    with pytest.raises(NoResult):
        of_many.result()


def test_an_override_travels(app: Packhorse) -> None:
    handle = keeps_nothing.using(keep_result=60).dispatch()
    other = adds.using(keep_result=0).dispatch(1, 1)
    with pytest.raises(NoResult):
        other.result()
    with working(app):
        assert handle.result(timeout=SOON) == 7


def test_a_method_says_it_of_each_message(app: Packhorse) -> None:
    kept, other = app.queue().push_many([Chooses(True), Chooses(False)])
    with pytest.raises(NoResult):
        other.result()
    with working(app):
        assert kept.result(timeout=SOON) == "chosen"


def test_by_the_id_alone_a_job_that_keeps_nothing_says_so_while_it_waits(app: Packhorse) -> None:
    id = keeps_nothing.dispatch().id
    handle = app.handle(id)
    if lists(app):
        with pytest.raises(NoResult, match=r"its result is not kept"):
            handle.result()
    else:
        with pytest.raises(TimeoutError, match=r"no worker has taken it yet$"):
            handle.result(timeout=0)


def test_time_is_over_before_there_is_a_result(app: Packhorse) -> None:
    handle = adds.dispatch(1, 1)
    with pytest.raises(TimeoutError, match=rf"{handle.id}: no result in 0\.05 s; it is"):
        handle.result(timeout=0.05)


def test_a_result_whose_time_is_over_is_gone(app: Packhorse) -> None:
    handle = adds.using(keep_result=0.2).dispatch(1, 1)
    drain(app)

    def gone() -> bool:
        try:
            handle.result(timeout=0)
        except (NoResult, TimeoutError):
            return True
        return False

    eventually(gone)
    if lists(app):
        with pytest.raises(NoResult, match="keep_result is over"):
            handle.result()


def test_a_cancelled_job_has_no_result(app: Packhorse) -> None:
    driver: object = app.connection().driver
    if not isinstance(driver, Cancels):
        return
    handle = adds.using(delay=60).dispatch(1, 1)
    handle.cancel()
    with working(app), pytest.raises(JobCancelled, match=r"was cancelled$"):
        handle.result(timeout=SOON)


def test_a_member_of_a_cancelled_batch_has_no_result(app: Packhorse) -> None:
    group = batch([adds.bind(1, 1)]).dispatch()
    group.cancel()
    if lists(app):
        (member,) = app.queue().jobs()
        with working(app), pytest.raises(JobCancelled, match=r"was cancelled$"):
            app.handle(member.id).result(timeout=SOON)


def test_an_expired_job_has_no_result(app: Packhorse) -> None:
    handle = adds.using(expires=-1).dispatch(1, 1)
    with working(app), pytest.raises(JobCancelled, match="before it expired"):
        handle.result(timeout=SOON)


def test_a_superseded_job_has_no_result(app: Packhorse) -> None:
    if not app.connection().driver.capabilities.unique:
        return
    newest = adds.using(unique=Unique("sum", on_taken="replace"), delay=60)
    handle = newest.dispatch(1, 1)
    newest.using(delay=0).dispatch(1, 1)
    with working(app), pytest.raises(JobCancelled, match="a newer one"):
        handle.result(timeout=SOON)


def test_a_vetoed_job_has_no_result(app: Packhorse) -> None:
    @job(name="tests.vetoed_result", keep_result=60)
    def vetoed() -> None: ...

    vetoed.prepare_for_dispatch(lambda pending: False)
    with pytest.raises(NoResult, match="it was not pushed"):
        vetoed.dispatch().result()


def test_the_failed_jobs_know_what_the_store_does_not(app: Packhorse) -> None:
    handle = fails.dispatch()
    drain(app)
    app.connection().store.apply([Group([Delete(result_key(handle.id))])])
    with pytest.raises(JobFailedError, match="no such mule"):
        handle.result(timeout=SOON)


def test_wrong_arguments_are_a_failure_for_who_waits(app: Packhorse) -> None:
    raw = app.queue().push_raw(adds.definition.name, {"a": "x"})
    drain(app)
    with pytest.raises(JobFailedError, match="wrong arguments"):
        app.handle(raw.id).result(timeout=SOON)


def test_waiting_does_not_hammer(make_app: MakeApp) -> None:
    app = make_app()
    handle = adds.dispatch(1, 1)
    store, driver = app.connection().store, app.connection().driver
    looks = 0
    for broker, verb in ((store, "read"), (driver, "get")):
        asked = getattr(broker, verb, None)
        if asked is None:
            continue

        def counting(*args: object, asked: object = asked) -> object:
            nonlocal looks
            looks += 1
            return asked(*args)  # type: ignore[operator]

        setattr(broker, verb, counting)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        handle.result(timeout=1.0)
    took = time.monotonic() - started
    assert looks <= 2 * (10 + 2 * took)


def test_without_a_store_it_is_refused_at_the_dispatch() -> None:
    with Packhorse("sync://"), pytest.raises(StoreRequired, match='store = "sqlite:///'):
        adds.dispatch(1, 1)


def test_run_here_with_a_store_beside_it() -> None:
    settings = {"connections": {"default": {"url": "sync://", "store": "memory://"}}}
    with Packhorse(config=settings):
        assert adds.dispatch(1, 1).result(timeout=SOON) == 2
    with Packhorse("sync://"):
        assert adds.dispatch_sync(1, 1) == 2
