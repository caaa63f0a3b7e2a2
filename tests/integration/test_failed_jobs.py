"""`app.failed`: everything that died is there, whole, and can be looked at, run again or thrown away."""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from packhorse import JobContext, Packhorse, Unsupported, events, job
from packhorse.testing import Recorder, eventually
from tests.integration.journal import journal
from tests.integration.messages import send_body
from tests.integration.working import becomes_empty, clears, drain, working


@job(tries=2)
def works_the_second_time(ctx: JobContext, number: int) -> None:
    journal.note(f"{number} attempt {ctx.attempt}, delivery {ctx.deliveries}")
    if journal.count(f"{number} may work") == 0:
        raise ValueError(f"{number} may not")


def all_die(app: Packhorse, count: int, queue: str = "default", first: int = 0) -> list[UUID]:
    """Lets so many jobs fail, one after the other; their ids, the first to die first."""
    ids = [
        app.queue(queue).push(works_the_second_time.bind(number)).id
        for number in range(first, first + count)
    ]
    drain(app, [queue], concurrency=1)
    return ids


def may_work(*numbers: int) -> None:
    journal.clear()
    for number in numbers:
        journal.note(f"{number} may work")


def test_the_newest_is_listed_first_and_pages_follow(app: Packhorse) -> None:
    ids = all_die(app, 7)
    seen: list[UUID] = []
    after = None
    while page := app.failed.list(limit=3, after=after):
        assert len(page) <= 3
        seen += [one.id for one in page]
        after = page[-1].id
    assert seen == ids[::-1]
    assert app.failed.count() == 7


def test_by_queue(app: Packhorse) -> None:
    mail, default = all_die(app, 3, "mail"), all_die(app, 2)
    assert {one.id for one in app.failed.list(queue="mail")} == set(mail)
    assert {one.id for one in app.failed.list(queue="default")} == set(default)
    assert app.failed.list(queue="nobody") == []
    assert (app.failed.count(), app.failed.count("mail"), app.failed.count("nobody")) == (5, 3, 0)
    may_work(0, 1, 2)
    assert app.failed.retry("all", queue="mail") == 3
    assert {one.id for one in app.failed.list()} == set(default)
    assert app.queue("mail").size() == 3


def test_one_runs_again_with_fresh_counters_and_its_own_id(app: Packhorse, heard: Recorder) -> None:
    first, second = all_die(app, 2)
    journal.clear()
    heard.clear()
    assert app.failed.retry([second]) == 1
    assert [event.id for event in heard.of(events.JobRetryRequested)] == [second]
    drain(app)
    assert journal.notes == ["1 attempt 1, delivery 1", "1 attempt 2, delivery 1"]
    again = app.failed.get(second)
    assert again is not None
    assert [failure.attempt for failure in again.failures] == [1, 2]
    may_work(1)
    assert app.failed.retry(str(second)) == 1
    drain(app)
    assert journal.notes[1:] == ["1 attempt 1, delivery 1"]
    assert [one.id for one in app.failed.list()] == [first]
    assert app.failed.get(second) is None


def test_many_and_all_run_again(app: Packhorse) -> None:
    ids = all_die(app, 6)
    may_work(*range(6))
    assert app.failed.retry([*ids[:3], uuid4()]) == 3
    assert app.failed.retry(ids[:3]) == 0
    assert app.failed.retry("all") == 3
    assert app.failed.retry("all") == 0
    drain(app)
    assert app.failed.count() == 0
    assert sum("attempt 1" in note for note in journal.notes) == 6


def test_what_cannot_be_read_goes_back_as_it_is(app: Packhorse) -> None:
    id = send_body(app, b"noise")
    drain(app)
    assert app.failed.retry([id]) == 1
    assert app.failed.count() == 0
    drain(app)
    (found,) = app.failed.list()
    assert (found.id, found.body, found.job) == (id, b"noise", "")


def test_forget_flush_and_prune(app: Packhorse) -> None:
    ids = all_die(app, 4)
    assert app.failed.forget(ids[0])
    assert not app.failed.forget(ids[0])
    assert not app.failed.forget(uuid4())
    assert app.failed.prune(older_than=60) == 0
    eventually(lambda: time.time() - _newest(app) > 0.3)
    young = all_die(app, 1, first=10)
    assert app.failed.prune(older_than=0.25) == 3
    assert [one.id for one in app.failed.list()] == young
    all_die(app, 2, "mail")
    assert app.failed.flush() == 3
    assert (app.failed.count(), app.failed.list()) == (0, [])
    assert app.queue().size() == 0


def _newest(app: Packhorse) -> float:
    return app.failed.list(limit=1)[0].failed_at


def test_clearing_a_queue_leaves_its_failed_jobs(app: Packhorse) -> None:
    all_die(app, 2)
    app.queue().push(works_the_second_time.bind(5))
    if clears(app):
        assert app.queue().clear() == 1
    else:
        with pytest.raises(Unsupported, match="cannot clear a queue"):
            app.queue().clear()
    assert app.failed.count() == 2


def test_retrying_while_a_worker_runs(app: Packhorse) -> None:
    """What is revived may die again at once, and is not retried a second time by the same call."""
    all_die(app, 20)
    with working(app, concurrency=2):
        assert app.failed.retry("all") == 20
        becomes_empty(app)
    assert app.failed.count() == 20


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Packhorse]:
    """Four connections: one with the driver's own dead, one with a store's, one failing over, one that
    keeps nothing."""
    config = {
        "default": "file",
        "connections": {
            "file": {"url": f"sqlite:///{tmp_path}/jobs.db"},
            "cloud": {"url": "memory://?like=sqs", "store": "file"},
            "safe": {"url": "failover://file,cloud"},
            "sync": {"url": "sync://"},
        },
    }
    with Packhorse(config=config) as app:
        yield app


def _die_on(app: Packhorse, connection: str, numbers: range) -> list[UUID]:
    jobs = [works_the_second_time.bind(number) for number in numbers]
    ids = [app.queue(None, connection).push(one).id for one in jobs]
    app.worker(connection=connection, concurrency=1).run(stop_when_empty=True)
    return ids


@pytest.mark.backend("sqlite")
def test_the_failed_jobs_of_all_connections_are_one_list(many: Packhorse) -> None:
    file, cloud = _die_on(many, "file", range(3)), _die_on(many, "cloud", range(3, 5))
    safe = _die_on(many, "safe", range(5, 7))
    last = _die_on(many, "file", range(7, 8))
    expected = [*file, *cloud, *safe, *last][::-1]
    assert [one.id for one in many.failed.list()] == expected
    assert many.failed.count() == 8
    seen, after = [], None
    while page := many.failed.list(limit=3, after=after):
        seen += [one.id for one in page]
        after = page[-1].id
    assert seen == expected
    by_id = {one.id: one.connection for one in many.failed.list()}
    assert {by_id[id] for id in cloud} == {"cloud"}
    assert many.failed.forget(cloud[0])
    assert many.failed.retry([file[0], cloud[1]]) == 2
    assert many.queue(None, "file").size() == 1
    assert many.queue(None, "cloud").size() == 1
    assert many.failed.retry("all") == 5
    assert many.failed.count() == 0
