"""A unique key is free after each way in which a message can end, on every broker; and not before."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from msgspec import UNSET

from packhorse import JobContext, Packhorse, Pending, Unique, batch, chain, job
from packhorse.driver.abilities import Cancels
from packhorse.driver.message import Message
from packhorse.function_job import FunctionJob
from packhorse.testing import eventually
from tests.integration.conftest import MEMORY, SQLITE, MakeApp
from tests.integration.journal import journal
from tests.integration.keys import nothing_left
from tests.integration.messages import envelope
from tests.integration.working import clears, drain

QUEUE = "default"
KEY = Unique("k")

broken: list[bool] = []
"""While it holds anything, each job fails for good."""


def may_fail(ctx: JobContext) -> Iterator[None]:
    if broken:
        ctx.fail("not yet")
        return
    yield


def skipping(ctx: JobContext) -> Iterator[None]:
    return
    yield


@job(name="exits.quiet", unique=KEY, middleware=[may_fail])
def quiet() -> None:
    journal.note("ran")


@job(name="exits.coroutine", unique=KEY, middleware=[may_fail])
async def coroutine() -> None: ...


@job(name="exits.deletes", unique=KEY, middleware=[may_fail])
def deletes(ctx: JobContext) -> None:
    ctx.delete()


@job(name="exits.skipped", unique=KEY, middleware=[may_fail, skipping])
def skipped() -> None: ...


@job(name="exits.raises", unique=KEY, middleware=[may_fail])
def raises() -> None:
    raise ValueError("no")


@job(name="exits.fails", unique=KEY, tries=5, middleware=[may_fail])
def fails(ctx: JobContext) -> None:
    ctx.fail("no")


@job(
    name="exits.slow",
    unique=KEY,
    tries=5,
    timeout=0.05,
    fail_on_timeout=True,
    middleware=[may_fail],
)
def slow() -> None:
    while True:
        time.sleep(0.01)


@job(name="exits.lost", unique=KEY, at_most_once=True)
def lost() -> None:
    journal.note("ran")


def run(app: Packhorse) -> None:
    drain(app)


def clear(app: Packhorse) -> None:
    if clears(app):
        app.queue().clear()
    else:
        drain(app)


def cancel(app: Packhorse) -> None:
    """Cancels what is there, where the broker can; elsewhere it runs."""
    driver: object = app.connection().driver
    if isinstance(driver, Cancels):
        ids = [one.id for one in app.queue().jobs() if one.job == "exits.quiet"]
        assert driver.cancel(ids) == ["marked"]
    drain(app)
    assert bool(journal.notes) != isinstance(driver, Cancels)


def forget(app: Packhorse) -> None:
    drain(app)
    app.failed.flush()


EXITS = [
    pytest.param(quiet.using(), run, id="done"),
    pytest.param(coroutine.using(), run, id="done-async"),
    pytest.param(deletes.using(), run, id="deleted"),
    pytest.param(skipped.using(), run, id="skipped"),
    pytest.param(raises.using(), run, id="dead"),
    pytest.param(fails.using(), run, id="failed-itself"),
    pytest.param(slow.using(), run, id="timed-out"),
    pytest.param(quiet.using(retry_until=-1), run, id="spent-before-its-start"),
    pytest.param(quiet.using(expires=-1), run, id="expired"),
    pytest.param(quiet.using(), cancel, id="cancelled"),
    pytest.param(quiet.using(), clear, id="cleared"),
    pytest.param(raises.using(), forget, id="forgotten"),
]


@job(name="exits.before")
def before() -> None: ...


def pushed(app: Packhorse, what: Pending[Any]) -> None:
    app.queue().push(what)


def pushed_with_others(app: Packhorse, what: Pending[Any]) -> None:
    app.queue().push_many([before.bind(), what, before.bind()])


def begins_a_chain(app: Packhorse, what: Pending[Any]) -> None:
    chain(what, before.bind()).dispatch()


def follows_in_a_chain(app: Packhorse, what: Pending[Any]) -> None:
    chain(before.bind(), what).dispatch()
    assert app.worker(concurrency=1).run(max_jobs=1).jobs == 1


def in_a_batch(app: Packhorse, what: Pending[Any]) -> None:
    batch([before.bind(), what]).allow_failures().dispatch()


def in_a_chain_in_a_batch(app: Packhorse, what: Pending[Any]) -> None:
    batch([[what, before.bind()]]).allow_failures().dispatch()


def calls_back(app: Packhorse, what: Pending[Any]) -> None:
    batch([]).then(what).dispatch()


def retried(app: Packhorse, what: Pending[Any]) -> None:
    what.dispatch()
    broken.append(True)
    drain(app)
    broken.clear()
    assert nothing_left(app)
    assert app.failed.retry("all") == 1


WAYS = [
    pushed,
    pushed_with_others,
    begins_a_chain,
    follows_in_a_chain,
    in_a_batch,
    in_a_chain_in_a_batch,
    calls_back,
    retried,
]


@pytest.mark.parametrize(("what", "end"), EXITS)
def test_each_exit_frees_the_key(
    app: Packhorse, what: FunctionJob[[], Any, Any], end: Callable[[Packhorse], None]
) -> None:
    first = what.dispatch()
    again = what.dispatch()
    assert again.skipped
    assert again.id == first.id
    end(app)
    assert nothing_left(app)
    assert not what.dispatch().skipped


@pytest.mark.parametrize("url", [MEMORY, "memory://?like=sqs-fifo", SQLITE], indirect=True)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("what", "end"), EXITS)
def test_whichever_way_it_came_each_exit_frees_the_key(
    app: Packhorse,
    way: Callable[[Packhorse, Pending[Any]], None],
    what: FunctionJob[[], Any, Any],
    end: Callable[[Packhorse], None],
) -> None:
    """Where the broker keeps the keys, of both kinds, and where a store does."""
    one = what.bind()
    if way is retried and one.overrides.expires is not UNSET:
        return  # what has expired was never among the failed jobs
    way(app, one)
    assert what.dispatch().skipped
    end(app)
    assert nothing_left(app)
    assert not what.dispatch().skipped


def test_one_of_a_cancelled_batch_frees_its_key(app: Packhorse) -> None:
    cancelled = batch([quiet.bind()]).dispatch()
    cancelled.cancel()
    assert quiet.dispatch().skipped
    drain(app)
    assert journal.notes == []
    assert cancelled.refresh().dropped == 1
    assert nothing_left(app)
    assert not quiet.dispatch().skipped


def test_a_superseded_one_frees_nothing_but_what_it_left(app: Packhorse) -> None:
    replacing = quiet.using(unique=Unique("k", on_taken="replace"))
    first, second = replacing.dispatch(), replacing.dispatch()
    assert first.id != second.id
    drain(app)
    assert journal.notes == ["ran"]
    assert nothing_left(app)
    assert not quiet.dispatch().skipped


def test_a_quarantined_one_frees_its_key(make_app: MakeApp) -> None:
    app = make_app(lease=1.0)
    lost.dispatch()
    consumer = app.connection().driver.consumer("dies")
    assert len(consumer.reserve([QUEUE], 1, 0).deliveries) == 1
    consumer.close()
    assert lost.dispatch().skipped

    def buried() -> int:
        drain(app)
        return app.failed.count()

    assert eventually(buried, every=0.1) == 1
    assert "never reported back" in app.failed.list()[0].reason
    assert journal.notes == []
    assert nothing_left(app)
    assert not lost.dispatch().skipped


def test_one_of_an_unknown_name_frees_its_key_at_its_limit(make_app: MakeApp) -> None:
    app = make_app(unknown_job_limit=0)
    app.queue().push_raw("nobody.knows", {}, unique=KEY)
    assert app.queue().push_raw("nobody.knows", {}, unique=KEY).skipped
    drain(app)
    assert app.failed.count() == 1
    assert nothing_left(app)
    assert not app.queue().push_raw("nobody.knows", {}, unique=KEY).skipped


def test_one_with_wrong_arguments_frees_its_key(app: Packhorse) -> None:
    app.queue().push_raw("exits.quiet", {"nonsense": 1}, unique=KEY)
    assert quiet.dispatch().skipped
    drain(app)
    assert app.failed.count() == 1
    assert nothing_left(app)
    assert not quiet.dispatch().skipped


UNREADABLE = [
    pytest.param(b"\x00 no envelope", id="no-envelope"),
    pytest.param(envelope("exits.quiet", {}, enc=["missing"], body="AAAA"), id="no-codec"),
    pytest.param(envelope("exits.quiet", {}, body=7), id="no-body"),
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_one_that_cannot_be_read_frees_its_key(app: Packhorse, body: bytes) -> None:
    message = Message(uuid4(), QUEUE, body, unique=Unique("exits.quiet:k"))
    (sent,) = app.connection().send([message])
    assert sent.state == "stored"
    assert quiet.dispatch().skipped
    drain(app)
    assert app.failed.count() == 1
    assert nothing_left(app)
    assert not quiet.dispatch().skipped
