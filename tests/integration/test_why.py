"""Why a job does not run, as `packhorse job why` tells it, on every broker that can be asked."""

import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from packhorse import JobContext, Packhorse, Unique, batch, chain, job
from packhorse.cli.fate import missing
from packhorse.cli.why import explain, locate
from packhorse.middleware import RateLimited, WithoutOverlapping, per_hour
from packhorse.testing import eventually
from tests.integration.conftest import MEMORY, SQLITE, MakeApp
from tests.integration.journal import journal
from tests.integration.working import drain, working

pytestmark = pytest.mark.parametrize(
    "url",
    [MEMORY, pytest.param("memory://?like=cluster", id="cluster"), SQLITE],
    indirect=True,
)


@job
def good() -> None: ...


@job(tries=3, backoff=600)
def fails() -> None:
    raise ValueError("no such mule")


@job(keep_result=60)
def answers() -> int:
    return 42


@job
def runs(ctx: JobContext) -> None:
    ctx.progress(3, 10, "counting")
    while not journal.count("end"):
        time.sleep(0.01)


@job(middleware=[WithoutOverlapping(wait=7)])
def alone() -> None:
    while not journal.count("end"):
        time.sleep(0.01)


def told(app: Packhorse, id: UUID) -> dict[str, str]:
    """The reasons for a job, by their codes, in their order."""
    found = locate(app, id)
    reasons = missing(app, id) if found is None else explain(app, *found)
    return {one.code: one.text for one in reasons}


@pytest.fixture(autouse=True)
def _all_end() -> Iterator[None]:
    yield
    journal.note("end")


def test_nothing_but_a_worker_is_missing(app: Packhorse) -> None:
    good.dispatch()
    reasons = told(app, good.dispatch().id)
    assert list(reasons) == ["waiting"]
    assert "no worker has taken it yet; 2 jobs of queue 'default' can start" in reasons["waiting"]
    assert "packhorse work --queues default" in reasons["waiting"]


def test_it_is_delayed(app: Packhorse) -> None:
    reasons = told(app, good.using(delay=3600, expires=60).dispatch().id)
    assert list(reasons) == ["delayed", "expires"]
    assert reasons["delayed"].startswith("it was delayed, or put back, until 20")
    assert reasons["delayed"].endswith("in 59m 59s")
    assert reasons["expires"].endswith("it never will: then it expires")


def test_it_waits_for_its_backoff(app: Packhorse) -> None:
    id = fails.dispatch().id
    good.dispatch()
    drain(app)
    (reason,) = told(app, id).values()
    assert reason.startswith(
        "it failed at attempt 1 with ValueError: no such mule; it is tried again at 20"
    )
    assert reason.endswith("in 9m 59s")


def test_its_queue_is_paused(app: Packhorse) -> None:
    id = good.dispatch().id
    app.queue().pause()
    assert told(app, id)["paused"].endswith("is paused, until: packhorse queue resume default")
    app.queue().pause(for_=120)
    assert told(app, id)["paused"].endswith("for another 1m 59s")


def test_it_is_behind_another_of_its_group(app: Packhorse) -> None:
    first = good.using(group="barn").dispatch()
    second = good.using(group="barn").dispatch()
    assert told(app, second.id)["group"] == (
        f"it waits behind another of its group 'barn': {first.id}, which is waiting"
    )


def test_it_holds_a_unique_key(app: Packhorse) -> None:
    id = good.using(unique=Unique("barn")).dispatch().id
    assert "good:barn'" in told(app, id)["unique"]


def test_it_was_cancelled(app: Packhorse) -> None:
    handle = good.using(delay=60).dispatch()
    handle.cancel()
    assert list(told(app, handle.id)) == ["cancelled"]


def test_it_expired(app: Packhorse) -> None:
    reasons = told(app, good.using(expires=-1).dispatch().id)
    assert reasons["expired"].startswith("its time is over: the next worker takes it off")


def test_it_would_fail(app: Packhorse) -> None:
    reasons = told(app, app.queue().push_raw(good.definition.name, {"a": 1}).id)
    assert "it would fail without running: job" in reasons["failing"]
    assert "wrong arguments" in reasons["failing"]


def test_nobody_knows_its_name(app: Packhorse) -> None:
    id = app.queue().push_raw("tests.nobody", {}).id
    assert "no module that was imported has a job 'tests.nobody'." in told(app, id)["unknown_name"]
    good.dispatch()
    drain(app)
    reasons = told(app, id)
    assert "so did workers, 1 time" in reasons["unknown_name"]
    assert reasons["delayed"].startswith(
        "a worker did not know its name, 1 time; it waits until 20"
    )


def test_its_middleware_would_not_let_it_start(app: Packhorse) -> None:
    first, second = alone.dispatch(), alone.dispatch()
    with working(app):
        eventually(lambda: app.queue().counts().delayed == 1)
        (held,) = [one for one in (first, second) if one.state() == "delayed"]
        reasons = told(app, held.id)
        assert list(reasons) == ["middleware", "delayed"]
        assert reasons["middleware"].endswith(f"another job holds lock:{alone.definition.name}")
        waiting = alone.using(queue="other").dispatch()
        assert told(app, waiting.id)["middleware"].endswith("it would be put back for 7 s")
        journal.note("end")


def test_to_ask_changes_nothing(app: Packhorse) -> None:
    @job(name="tests.limited", middleware=[RateLimited(per_hour(1))])
    def limited() -> None:
        journal.note("ran")

    id = limited.dispatch().id
    for _ in range(3):
        assert list(told(app, id)) == ["waiting"]
    other = limited.dispatch().id
    drain(app)
    assert journal.count("ran") == 1
    left = id if locate(app, id) else other
    reasons = told(app, left)
    assert list(reasons) == ["middleware", "delayed"]
    assert reasons["middleware"].endswith(": rate:tests.limited is at its limit")
    assert reasons["delayed"].endswith("in 59m 59s")


def test_it_runs(make_app: MakeApp) -> None:
    app = make_app()
    handle = runs.dispatch()
    with working(app) as worker:
        eventually(lambda: handle.progress() is not None)
        reasons = told(app, handle.id)
        assert list(reasons) == ["leased", "progress"]
        assert reasons["leased"].startswith(f"{worker.name} has it, and said so ")
        assert reasons["progress"].endswith("that 3 of 10 is done (counting)")
        handle.cancel()
        assert "cancelled" in told(app, handle.id)
        journal.note("end")


def test_its_lease_has_ended(make_app: MakeApp) -> None:
    app = make_app(lease=0.2)
    handle = good.dispatch()
    app.connection().driver.consumer("dead").reserve(["default"], 1, 0.0)

    eventually(lambda: "lease_ended" in told(app, handle.id))
    (reason,) = told(app, handle.id).values()
    assert reason.startswith("dead has it, but its lease ended ")


def test_it_failed_for_good(app: Packhorse) -> None:
    id = fails.using(tries=1).dispatch().id
    drain(app)
    (reason,) = told(app, id).values()
    assert "failed at attempt 1 of 1. Look: packhorse failed show" in reason


def test_it_is_over(app: Packhorse) -> None:
    kept, other = answers.dispatch(), good.dispatch()
    drain(app)
    assert told(app, kept.id)["done"].endswith("; its result is kept")
    for id in (other.id, uuid4()):
        assert told(app, id) == {
            "gone": "no connection has it: it is done, was cleared, or was never sent"
        }


def test_it_belongs_to_what_was_cancelled(app: Packhorse) -> None:
    links = chain(good.bind(), good.using(delay=60).bind()).dispatch()
    drain(app)
    second = links.current()
    assert second is not None
    assert f"it is job 2 of chain {links.id}" in told(app, second.id)["chain"]

    group = batch([good.using(delay=60).bind()], name="barn").dispatch()
    (member,) = [one.id for one in app.queue().jobs("delayed") if one.id != second.id]
    assert list(told(app, member)) == ["delayed"]
    group.cancel()
    assert "its batch barn was cancelled" in told(app, member)["batch_cancelled"]


def test_its_message_cannot_be_read(app: Packhorse) -> None:
    from packhorse.driver.message import Message
    from packhorse.ids import new_id

    id = new_id()
    app.connection().driver.send([Message(id, "default", b"rubbish")])
    assert "cannot be read" in told(app, id)["unreadable"]
