"""Unique jobs with real workers, on every broker; named after the rows that they are measured by."""

from collections.abc import Iterator

import pytest

from packhorse import (
    InvalidPayload,
    Job,
    JobContext,
    Packhorse,
    StoreRequired,
    Unique,
    Unsupported,
    chain,
    events,
    job,
)
from packhorse.testing import Recorder, eventually
from tests.integration.journal import journal
from tests.integration.keys import nothing_left
from tests.integration.working import drain

LONG = 3600.0


@job(name="unique.plain", unique=True)
def plain(number: int = 0) -> None:
    journal.note(f"plain {number}")


@job(name="unique.next")
def follows() -> None:
    journal.note("next")


@job(name="unique.again", unique=True, tries=3)
def fails_first(ctx: JobContext) -> None:
    journal.note(f"attempt {ctx.attempt}, again: {not fails_first.dispatch().skipped}")
    if ctx.attempt == 1:
        raise ValueError("once more")


@job(name="unique.reserved", unique=Unique(until="reserved"))
def until_reserved(number: int) -> None:
    if journal.count("runs") == 0:
        journal.note("runs")
        journal.note(f"again: {not until_reserved.dispatch(number).skipped}")
    journal.note("ran")


def releasing_once(ctx: JobContext) -> Iterator[None]:
    if journal.count("released") == 0:
        journal.note("released")
        ctx.release(0)
        return
    yield


@job(name="unique.released", unique=True, middleware=[releasing_once])
def released() -> None:
    journal.note("ran")


@job(name="unique.raises", unique=True)
def raises(number: int = 0) -> None:
    raise ValueError("no")


def test_c1_a_key_is_held_through_retries_until_the_end(app: Packhorse, heard: Recorder) -> None:
    first = fails_first.dispatch()
    second = fails_first.dispatch()
    assert (first.skipped, second.skipped) == (False, True)
    assert second.id == first.id
    drain(app)
    assert journal.notes == ["attempt 1, again: False", "attempt 2, again: False"]
    told = heard.of(events.UniqueJobSkipped)
    assert {(one.holder, one.job, one.queue, one.connection) for one in told} == {
        (first.id, "unique.again", "default", "main")
    }
    assert len(told) == 3
    assert first.id not in {one.id for one in told}
    assert [one.id for one in heard.of(events.JobQueued)] == [first.id]
    assert not fails_first.dispatch().skipped


def test_c1_a_released_one_holds_its_key(app: Packhorse) -> None:
    released.dispatch()
    drain(app)
    assert journal.notes == ["released", "ran"]
    assert nothing_left(app)


def test_c2_until_reserved_frees_the_key_before_the_run(app: Packhorse) -> None:
    until_reserved.dispatch(1)
    assert until_reserved.dispatch(1).skipped
    drain(app, concurrency=1)
    assert journal.notes == ["runs", "again: True", "ran", "ran"]
    assert nothing_left(app)


def test_c3_what_tells_jobs_apart(app: Packhorse) -> None:
    class Resize(Job, name="unique.resize", unique=True):
        path: str
        width: int = 640

        def unique_id(self) -> str:
            return self.path

        def handle(self) -> None: ...

    assert not Resize("a").dispatch().skipped
    assert Resize("a", 320).dispatch().skipped
    assert not Resize("b").dispatch().skipped
    assert not plain.dispatch(1).skipped
    assert plain.dispatch(number=1).skipped
    assert not plain.dispatch(2).skipped
    assert not plain.using(unique=Unique("own")).dispatch(1).skipped
    assert not plain.using(unique=False).dispatch(1).skipped
    assert not plain.using(queue="other").dispatch(1).skipped  # a queue is a line of its own


def test_c4_a_window_holds_the_key_after_the_job_is_done(app: Packhorse) -> None:
    windowed = plain.using(unique=Unique("w", window=LONG))
    first = windowed.dispatch()
    drain(app)
    again = windowed.dispatch()
    assert again.skipped
    assert again.id == first.id
    assert plain.using(unique=Unique("w")).dispatch().skipped  # whatever that one says itself
    short = plain.using(unique=Unique("s", window=0.2))
    short.dispatch()
    drain(app)
    eventually(lambda: not short.dispatch().skipped)


def test_c4_a_key_without_a_window_does_not_outlive_its_job(app: Packhorse) -> None:
    plain.using(delay=0.0).dispatch()
    drain(app)
    assert nothing_left(app)
    assert not plain.dispatch().skipped


def test_c5_the_companion_keeps_the_keys_where_the_broker_has_none() -> None:
    settings = {"connections": {"main": {"url": "sync://"}}}
    with Packhorse(config=settings) as without, pytest.raises(StoreRequired) as caught:
        without.dispatch(plain.bind())
    assert "unique jobs need a store where the broker keeps no keys" in str(caught.value)
    assert 'store = "sqlite:///packhorse.db"' in str(caught.value)
    settings = {"connections": {"main": {"url": "sync://", "store": "memory://"}}}
    with Packhorse(config=settings):
        assert not recursive.dispatch().skipped
        assert not recursive.dispatch().skipped
    assert journal.notes == ["again: False", "again: False"]


@job(name="unique.recursive", unique=True)
def recursive() -> None:
    journal.note(f"again: {not recursive.dispatch().skipped}")


def test_c5_a_companion_keeps_the_keys_of_members_that_have_none() -> None:
    settings = {
        "default": "both",
        "connections": {
            "both": {"url": "failover://first,second", "store": "first"},
            "first": {"url": "memory://"},
            "second": {"url": "memory://?like=beanstalkd"},
        },
    }
    with Packhorse(config=settings) as app:
        first = plain.dispatch(1)
        assert plain.dispatch(1).id == first.id
        worker = app.worker(connection="first")
        worker.run(stop_when_empty=True)
        assert journal.notes == ["plain 1"]
        assert not plain.dispatch(1).skipped


def test_c6_what_ended_long_since_frees_nothing_of_another(app: Packhorse) -> None:
    first = plain.dispatch()
    drain(app)
    newer = plain.dispatch()
    connection = app.connection()
    if not connection.driver.capabilities.unique:
        connection.unique_keys().orphaned("default", [first.id])
    assert plain.dispatch().id == newer.id


def test_c7_every_way_of_pushing_enforces_it(app: Packhorse) -> None:
    queue = app.queue()
    first = queue.push(plain.bind())
    can_delay = app.connection().driver.capabilities.max_delay != 0
    later = queue.later(60 if can_delay else 0, plain.bind())
    raw = queue.push_raw("unique.plain", {}, unique=Unique('{"number":0}'))
    many = queue.push_many([plain.bind(), plain.bind(1), plain.bind(1), plain.bind()])
    assert [one.skipped for one in (first, later, raw)] == [False, True, True]
    assert [one.skipped for one in many] == [True, False, True, True]
    assert {one.id for one in (first, later, raw, many[0], many[3])} == {first.id}
    assert many[1].id == many[2].id
    assert chain(plain.bind(), follows.bind()).dispatch().skipped
    drain(app)
    assert sorted(journal.notes) == ["plain 0", "plain 1"]
    assert nothing_left(app)


def test_c7_a_link_whose_key_is_taken_ends_its_chain(app: Packhorse, heard: Recorder) -> None:
    holder = plain.using(queue="elsewhere").dispatch(1)
    links = chain(follows.bind(), plain.using(queue="elsewhere").bind(1), follows.bind())
    handle = links.dispatch()
    drain(app)
    assert journal.notes == ["next"]
    assert handle.state() == "skipped"
    (told,) = heard.of(events.UniqueJobSkipped)
    assert (told.holder, told.job) == (holder.id, "unique.plain")
    drain(app, ["elsewhere"])
    assert journal.notes == ["next", "plain 1"]


def test_c7_a_link_whose_key_is_free_holds_it(app: Packhorse) -> None:
    chain(follows.bind(), plain.using(queue="elsewhere").bind(1), follows.bind()).dispatch()
    drain(app)
    assert plain.using(queue="elsewhere").dispatch(1).skipped
    drain(app, ["elsewhere"])
    drain(app)
    assert journal.notes == ["next", "plain 1", "next"]
    assert nothing_left(app, "elsewhere")


def test_c7_a_failed_job_gets_its_key_back_or_stays_failed(app: Packhorse, heard: Recorder) -> None:
    first = raises.dispatch(1)
    drain(app)
    holder = raises.dispatch(1)
    assert not holder.skipped
    assert app.failed.retry(first.id) == 0
    assert [one.id for one in app.failed.list()] == [first.id]
    (told,) = heard.of(events.UniqueJobSkipped)
    assert (told.id, told.holder) == (first.id, holder.id)
    drain(app)
    app.failed.forget(holder.id)
    assert app.failed.retry(first.id) == 1
    assert raises.dispatch(1).id == first.id
    drain(app)
    assert nothing_left(app)


def test_c8_a_push_that_fails_leaves_no_key(app: Packhorse) -> None:
    limit = app.connection().driver.capabilities.max_delay
    if limit is not None:
        with pytest.raises(InvalidPayload, match="delay"):
            plain.using(delay=limit + 1).dispatch()
        assert not plain.dispatch().skipped


def test_e12_a_group_where_the_broker_keeps_none_is_refused_at_the_dispatch(app: Packhorse) -> None:
    grouped = plain.using(unique=False, group="g")
    if app.connection().driver.capabilities.groups:
        assert not grouped.dispatch().skipped
    else:
        with pytest.raises(Unsupported, match="drop the option 'group'"):
            grouped.dispatch()
        assert app.queue().size() == 0


def test_e13_a_window_absorbs_what_is_sent_twice_within_it(app: Packhorse) -> None:
    once = plain.using(unique=Unique("order-4711", window=300))
    first = once.dispatch(1)
    drain(app)
    assert once.dispatch(2).id == first.id
    drain(app)
    assert journal.notes == ["plain 1"]
