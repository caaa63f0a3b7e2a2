"""Queues and handles: what is looked into, controlled, and refused where the broker cannot."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from packhorse import (
    ConfigError,
    Counts,
    JobContext,
    Packhorse,
    Queue,
    StoreRequired,
    Unsupported,
    job,
)
from packhorse.driver.message import Message
from packhorse.ids import new_id
from packhorse.testing import Running, eventually


@job(name="queue.work", tags=["vip"])
def work(ctx: JobContext, number: int = 0) -> None:
    if number == 13:
        ctx.fail("unlucky")


@pytest.fixture
def app() -> Iterator[Packhorse]:
    with Packhorse("memory://") as app:
        yield app


def test_counts(app: Packhorse) -> None:
    queue = app.queue()
    assert queue.counts() == Counts()
    queue.push_many([work.bind(n) for n in range(3)])
    queue.later(60, work.bind())
    assert queue.counts() == Counts(ready=3, delayed=1)
    assert queue.size() == 4
    assert queue.counts(cap=2) == Counts(ready=2, delayed=1, capped=True)
    assert app.queue("other").size() == 0


def test_the_oldest(app: Packhorse) -> None:
    queue = app.queue()
    assert queue.oldest_age() is None
    queue.later(60, work.bind())
    assert queue.oldest_age() is None
    queue.push(work.bind())
    age = queue.oldest_age()
    assert age is not None
    assert 0 <= age < 10


def test_what_a_listing_shows(app: Packhorse) -> None:
    queue = app.queue("q")
    handle = queue.push(work.bind(5))
    (one,) = queue.jobs()
    assert (one.id, one.job, one.queue, one.connection) == (handle.id, "queue.work", "q", "main")
    assert (one.state, one.failed, one.deliveries, one.worker, one.cancelled) == (
        "waiting",
        0,
        0,
        None,
        False,
    )
    assert one.tags == ("vip",)
    assert json.loads(one.arguments or "") == {"number": 5}
    same = queue.get(handle.id)
    assert same is not None
    assert (same.id, same.arguments) == (one.id, one.arguments)
    assert app.queue("other").get(handle.id) is None
    assert queue.get(new_id()) is None


def test_pages(app: Packhorse) -> None:
    queue = app.queue()
    ids = [handle.id for handle in queue.push_many([work.bind(n) for n in range(5)])]
    first = queue.jobs(limit=2)
    second = queue.jobs(limit=2, after=first[-1].id)
    third = queue.jobs(limit=2, after=second[-1].id)
    assert [one.id for page in (first, second, third) for one in page] == ids
    assert queue.jobs("delayed") == []


def test_what_cannot_be_read_is_shown_without_it(app: Packhorse) -> None:
    bodies = [
        b"{",
        b'{"v":1,"id":"018bcfe5-687b-7000-8000-000000000001","job":"j","at":5,"body":{"args":{"a":"\xff"}}}',
        b'{"v":1,"id":"018bcfe5-687b-7000-8000-000000000001","job":"j","at":5,"body":"e30=","enc":["x"]}',
    ]
    driver = app.connection().driver
    driver.send([Message(new_id(), "default", body) for body in bodies])
    shown = [(one.job, one.at, one.arguments) for one in app.queue().jobs()]
    assert shown == [("", 0.0, None), ("j", 5.0, None), ("j", 5.0, None)]


def test_a_handle_knows_where_its_job_stands(app: Packhorse) -> None:
    waiting, delayed = work.dispatch(), work.using(delay=60).dispatch()
    dead = work.dispatch(13)
    assert (waiting.state(), delayed.state(), dead.state()) == ("waiting", "delayed", "waiting")
    app.worker().run(stop_when_empty=True)
    assert (waiting.state(), delayed.state(), dead.state()) == ("gone", "delayed", "dead")
    assert repr(waiting) == f"<queue.work {waiting.id} on main/default>"


def test_a_handle_of_a_job_that_runs() -> None:
    go, started = threading.Event(), threading.Event()

    @job(name="queue.waits")
    def waits(ctx: JobContext) -> None:
        started.set()
        go.wait(10)

    with Packhorse("memory://") as app:
        handle = waits.dispatch()
        worker = Running(app.worker(concurrency=1).run, max_jobs=1)
        assert started.wait(10)
        assert handle.state() == "leased"
        (one,) = app.queue().jobs("leased")
        assert one.worker is not None
        go.set()
        assert worker.answer().jobs == 1
        assert eventually(lambda: handle.state() == "gone")


def test_cancelling(app: Packhorse) -> None:
    handle, other = work.dispatch(), work.using(delay=60).dispatch()
    queue = app.queue()
    assert not app.queue("other").cancel(handle.id)
    assert not queue.cancel(new_id())
    assert queue.cancel(handle.id)
    assert other.cancel()
    assert [one.cancelled for one in queue.jobs()] == [True, True]
    assert app.worker().run(stop_when_empty=True).jobs == 0
    assert handle.state() == other.state() == "gone"
    assert not handle.cancel()
    assert not queue.cancel(handle.id)


def test_clearing_leaves_the_failed_jobs(app: Packhorse) -> None:
    work.dispatch(13)
    app.worker().run(stop_when_empty=True)
    app.queue().push_many([work.bind(), work.using(delay=60).bind()])
    assert app.queue().clear() == 2
    assert app.queue().clear() == 0
    assert app.failed.count() == 1


def test_pausing(app: Packhorse) -> None:
    queue = app.queue()
    assert not queue.is_paused()
    queue.pause()
    handle = work.dispatch()
    app.worker().run(stop_when_empty=True)
    assert queue.is_paused()
    assert handle.state() == "waiting"
    assert not app.queue("other").is_paused()
    queue.resume()
    assert not queue.is_paused()
    app.worker().run(stop_when_empty=True)
    assert handle.state() == "gone"
    queue.pause(timedelta(seconds=0.05))
    assert eventually(lambda: not queue.is_paused())


def test_names(app: Packhorse) -> None:
    assert app.queue().name == "default"
    assert repr(app.queue("low")) == "<queue low on main>"
    assert app.connections == ("main",)
    assert repr(app) == "<Packhorse <connection main memory://>>"
    with pytest.raises(ConfigError, match="no connection is called 'mian'"):
        app.queue("q", "mian")


CANNOT: list[Callable[[Queue], Any]] = [
    lambda queue: queue.oldest_age(),
    lambda queue: queue.jobs(),
    lambda queue: queue.get(new_id()),
    lambda queue: queue.cancel(new_id()),
    lambda queue: queue.clear(),
    lambda queue: queue.pause(),
    lambda queue: queue.resume(),
    lambda queue: queue.is_paused(),
    lambda queue: queue.push(work.bind()).state(),
    lambda queue: queue.push(work.bind()).cancel(),
]


@pytest.mark.parametrize("ask", CANNOT, ids=range(len(CANNOT)))
def test_what_the_broker_cannot_do_is_refused(ask: Callable[[Queue], Any]) -> None:
    refused = pytest.raises(Unsupported, match="connection 'main': the driver of null:// cannot ")
    with Packhorse("null://") as app, refused:
        ask(app.queue())


def test_a_connection_without_a_store_says_what_to_add() -> None:
    with Packhorse("null://") as app:
        with pytest.raises(StoreRequired, match=r'store = "sqlite:///packhorse\.db"'):
            _ = app.connection().store
        assert app.failed.list() == []
        assert app.failed.count() == 0


def test_a_companion_is_another_connections_store_or_a_url() -> None:
    config = {
        "default": "main",
        "connections": {
            "main": {"url": "null://", "store": "other"},
            "other": {"url": "memory://other"},
            "third": {"url": "null://", "store": "memory://other"},
        },
    }
    with Packhorse(config=config) as app:
        assert app.connection().store is app.connection("other").store
        assert app.connection("third").store is not None


def test_a_closed_app_opens_again_when_it_is_used() -> None:
    app = Packhorse("memory://again")
    first = app.connection().driver
    app.close()
    app.close()
    assert app.connection().driver is not first
    assert app.queue().size() == 0
