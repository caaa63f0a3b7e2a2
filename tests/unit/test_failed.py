"""Failed jobs: kept whole, listed newest first over all connections, and as good as new when retried."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from packhorse import JobContext, Packhorse, events, job
from packhorse.dispatch import message_for
from packhorse.driver.message import Message
from packhorse.failed import FailedJob, _fresh
from packhorse.ids import new_id
from packhorse.testing import Recorder
from packhorse.wire.envelope import Body
from packhorse.wire.seal import open_body, open_envelope, recount
from tests.plugins.throwaway import installed
from tests.unit.wire.codecs import KNOWN, TOY_PLUGIN

ran: list[str] = []


@job(name="failed.fails", tries=2, tags=["vip"])
def fails(ctx: JobContext, name: str) -> None:
    ran.append(f"{name} {ctx.attempt}")
    raise ValueError(name)


# The driver keeps the dead, or the connection's store does.
KINDS = ["memory://{}", "memory://{}?like=sqs"]


@pytest.fixture(params=KINDS)
def app(request: pytest.FixtureRequest) -> Iterator[Packhorse]:
    ran.clear()
    connections: dict[str, Any] = {
        name: {"url": request.param.format(name), "store": f"memory://store-{name}"}
        for name in ("main", "second", "third")
    }
    with Packhorse(config={"default": "main", "connections": connections}) as app:
        yield app


def bury(
    app: Packhorse, *names: str, connection: str = "main", queue: str = "default"
) -> list[UUID]:
    """Lets jobs fail for good, one after the other."""
    ids = []
    for name in names:
        ids.append(app.queue(queue, connection).push(fails.bind(name)).id)
        app.worker([queue], connection=connection, concurrency=1).run(stop_when_empty=True)
    return ids


def pages(app: Packhorse, size: int, queue: str | None = None) -> list[UUID]:
    """All ids, read page by page."""
    found: list[UUID] = []
    while page := app.failed.list(size, found[-1] if found else None, queue):
        assert len(page) <= size
        found += [one.id for one in page]
        assert len(found) < 1_000
    return found


def the_one(app: Packhorse) -> FailedJob:
    (one,) = app.failed.list()
    return one


def test_what_is_kept(app: Packhorse) -> None:
    (id,) = bury(app, "a")
    one = the_one(app)
    assert (one.id, one.job, one.queue, one.connection) == (id, "failed.fails", "default", "main")
    assert one.reason == "failed at attempt 2 of 2"
    assert [(f.attempt, f.type, f.message) for f in one.failures] == [
        (1, "ValueError", "a"),
        (2, "ValueError", "a"),
    ]
    assert one.failures[-1].at <= one.failed_at
    assert one.worker == one.failures[0].worker != ""
    assert json.loads(bytes(open_body(open_envelope(one.body), {}, Body).args)) == {"name": "a"}
    assert app.failed.get(id) == one == app.failed.get(str(id))
    assert app.failed.get(new_id()) is None


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_over_all_connections(app: Packhorse, size: int) -> None:
    ids = [
        id
        for n, connection in enumerate(["main", "second", "main", "third", "second", "main"])
        for id in bury(app, str(n), connection=connection, queue="odd" if n % 2 else "even")
    ]
    assert pages(app, size) == ids[::-1]
    assert pages(app, size, "odd") == ids[1::2][::-1]
    assert app.failed.count() == 6
    assert app.failed.count("even") == 3
    assert app.failed.count("none") == 0


@pytest.mark.parametrize("size", [1, 2, 5])
def test_pages_of_what_died_in_one_moment(
    app: Packhorse, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for connection in app.connections:
        queue = app.queue(connection=connection)
        queue.push_many([fails.using(tries=1).bind(str(n)) for n in range(5)])
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: 1_700_000_000.0)
        patch.setattr("time.time_ns", lambda: 1_700_000_000 * 10**9)
        for connection in app.connections:
            app.worker(connection=connection, concurrency=1).run(max_jobs=5)
    found = pages(app, size)
    assert len(found) == 15
    assert len(set(found)) == 15


def test_retried_it_is_as_good_as_new(app: Packhorse) -> None:
    heard = Recorder()
    app.on(events.JobRetryRequested)(heard)
    (id,) = bury(app, "a")
    assert app.failed.retry(id) == 1
    assert app.failed.count() == 0
    assert [event.id for event in heard.of(events.JobRetryRequested)] == [id]
    app.worker(concurrency=1).run(stop_when_empty=True)
    assert ran == ["a 1", "a 2", "a 1", "a 2"]
    assert [f.attempt for f in the_one(app).failures] == [1, 2]


def test_which_are_retried(app: Packhorse) -> None:
    ids = bury(app, "a", "b") + bury(app, "c", queue="low") + bury(app, "d", connection="second")
    assert app.failed.retry([ids[0], str(ids[3]), new_id()]) == 2
    assert app.failed.retry(str(ids[1]), queue="low") == 0
    assert app.failed.retry("all", queue="low") == 1
    assert app.failed.retry("all") == 1
    assert app.failed.retry("all") == 0
    assert app.failed.count() == 0
    assert app.queue().size() == 2
    assert app.queue("low").size() == 1
    assert app.queue(connection="second").size() == 1


def test_all_are_retried_in_the_order_in_which_they_failed(
    app: Packhorse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("failed", "graveyard"):
        monkeypatch.setattr(f"packhorse.{module}.PAGE", 2)
    bury(app, *"abcde")
    ran.clear()
    assert app.failed.retry("all") == 5
    app.worker(concurrency=1).run(stop_when_empty=True)
    assert [each for each in ran if each.endswith("1")] == ["a 1", "b 1", "c 1", "d 1", "e 1"]


def test_what_is_given_up(app: Packhorse) -> None:
    ids = bury(app, "a", "b", "c")
    assert app.failed.forget(ids[0])
    assert not app.failed.forget(str(ids[0]))
    assert app.failed.flush(older_than=3_600) == 0
    assert app.failed.prune(3_600) == 0
    assert app.failed.count() == 2
    assert app.failed.flush() == 2
    assert app.failed.list() == []


def test_each_retry_has_as_much_time_as_the_first(
    app: Packhorse, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = {}

    @job(name="failed.hurries")
    def hurries(ctx: JobContext) -> None:
        ctx.fail("no")

    now = 1_000.0
    monkeypatch.setattr("time.time", lambda: now)
    connection = app.connection()
    message = message_for(hurries.using(retry_until=60, expires=90).bind(), connection)
    for now in (5_000.0, 7_000.0):
        message = _fresh(message, connection)
        body = open_body(open_envelope(message.body), {}, Body)
        moments[now] = (body.until, body.expires)
    assert moments == {5_000.0: (5_060.0, 5_090.0), 7_000.0: (7_060.0, 7_090.0)}


def test_a_message_that_cannot_be_read_is_kept_and_sent_as_it_is(app: Packhorse) -> None:
    message = Message(new_id(), "default", b"{")
    app.connection().driver.send([message])
    app.worker().run(stop_when_empty=True)
    one = the_one(app)
    assert (one.id, one.job, one.body, one.failures[0].type) == (
        message.id,
        "",
        b"{",
        "packhorse.errors.InvalidPayload",
    )
    assert "no envelope" in one.reason
    assert app.failed.retry("all") == 1
    app.worker().run(stop_when_empty=True)
    assert the_one(app).body == b"{"


def test_the_record_of_a_sealed_job_is_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, monkeypatch, "toy", TOY_PLUGIN)
    with Packhorse("memory://", codecs=["toy"]) as app:
        (id,) = bury(app, "secret")
        lists: Any = app.connection().driver
        (listed,) = lists.list(None, "dead", 10)
        assert b"secret" not in listed.record
        assert b"secret" not in listed.message.body
        assert open_envelope(listed.record).enc == ("toy",)
        assert app.failed.retry(id) == 1
        (waiting,) = lists.get([id])
        envelope = open_envelope(waiting.message.body)
        assert (envelope.enc, envelope.failed) == (("toy",), 0)
        assert open_body(envelope, KNOWN, Body).failures == ()


def test_what_cannot_be_opened_here_goes_back_with_fresh_counters(app: Packhorse) -> None:
    message = message_for(fails.bind("a"), app.connection())
    body = recount(open_envelope(message.body), failed=1, lost=2, unknown=10)
    closed = body.replace(b'"enc":[]', b'"enc":["nowhere"]').replace(
        bytes(open_envelope(body).body), b'"e30="'
    )
    fresh = open_envelope(_fresh(Message(message.id, "q", closed), app.connection()).body)
    assert (fresh.failed, fresh.lost, fresh.unknown, fresh.enc) == (0, 0, 0, ("nowhere",))
