"""What becomes of an attempt, row by row, on every broker; the worker goes on with the next job."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from packhorse import Job, JobContext, Packhorse, events, job
from packhorse.failed import FailedJob
from packhorse.handle import JobHandle
from packhorse.testing import Recorder, eventually
from tests.integration.conftest import MakeApp
from tests.integration.journal import journal
from tests.integration.messages import envelope, send_body
from tests.integration.working import becomes_empty, drain, lists, state_of, working


@job
def good(number: int = 0) -> None:
    journal.note(f"good {number}")


@job
def deletes(ctx: JobContext) -> None:
    ctx.delete()
    journal.note("deleted itself")


def skipping(ctx: JobContext) -> Iterator[None]:
    journal.note("skipped")
    return
    yield


def releasing(ctx: JobContext) -> Iterator[None]:
    journal.note("released")
    ctx.release(60)
    return
    yield


@job(middleware=[skipping])
def skipped() -> None:
    journal.note("must not run")


@job(middleware=[releasing])
def released_by_middleware() -> None:
    journal.note("must not run")


@job
def releases_once(ctx: JobContext, delay: float) -> None:
    journal.note(f"attempt {ctx.attempt}")
    if journal.count("attempt 1") == 1:
        ctx.release(delay)


@job(tries=3, backoff=[0.05, 0.1])
def always_raises(ctx: JobContext, text: str) -> None:
    journal.note(f"attempt {ctx.attempt}")
    raise ValueError(f"{text} at {ctx.attempt}")


@job(tries=7)
def counts_deliveries(ctx: JobContext) -> None:
    journal.note(f"attempt {ctx.attempt}, delivery {ctx.deliveries}")
    raise ValueError("again")


@job(tries=10)
def fails_itself(ctx: JobContext) -> None:
    ctx.fail("out of paper")
    journal.note("failed itself")


@job(tries=10, timeout=0.2, fail_on_timeout=True)
def sleeps_for_ever() -> None:
    while True:
        time.sleep(0.01)


@job(tries=2)
def must_not_run(ctx: JobContext) -> None:
    journal.note("must not run")


@job(backoff=0.01)
def raises_until_late(ctx: JobContext) -> None:
    journal.note("ran")
    time.sleep(0.1)
    raise ValueError("still not")


class Told(Job, tries=1):
    """A class job whose end is told to it."""

    name: str

    def handle(self) -> None:
        raise LookupError(self.name)

    def failed(self, error: BaseException) -> None:
        journal.note(f"failed {self.name}: {type(error).__name__} {error}")


class NoLonger(Job):
    """A class that once had a field more."""

    path: str

    def handle(self) -> None:
        journal.note("must not run")


def work_off(app: Packhorse, within: float = 10.0) -> None:
    """Lets a worker do what is there, and a good job that was sent last of all."""
    good.dispatch(99)
    with working(app):
        becomes_empty(app, within=within)
    assert journal.count("good 99") == 1


def the_failed(app: Packhorse, id: UUID) -> FailedJob:
    """The one failed job there is, which must be this one and hold together."""
    (found,) = app.failed.list()
    assert found.id == id
    assert app.failed.count() == 1
    assert app.failed.get(id) == found
    assert found.connection == app.settings.default
    assert found.queue == "default"
    assert abs(found.failed_at - time.time()) < 30
    for failure in found.failures:
        assert failure.worker == found.worker
        assert abs(failure.at - time.time()) < 30
    if lists(app):
        assert state_of(app, id) == "dead"
    return found


def waits(app: Packhorse, handle: JobHandle[object], failed: int = 0) -> None:
    """The message waits out a delay, with this many failures banked and no delivery counted."""
    counts = app.queue().counts()
    assert (counts.ready, counts.delayed, counts.reserved) == (0, 1, 0)
    if lists(app):
        queued = app.queue().get(handle.id)
        assert queued is not None
        assert (queued.state, queued.failed, queued.deliveries) == ("delayed", failed, 0)


def test_a_handler_that_returns_is_done(app: Packhorse, heard: Recorder) -> None:
    handle = good.dispatch(7)
    work_off(app)
    assert journal.notes == ["good 7", "good 99"]
    assert app.failed.count() == 0
    (done, _) = heard.of(events.JobProcessed)
    assert (done.id, done.result, done.attempt, done.deliveries) == (handle.id, "done", 1, 1)


def test_a_job_that_deletes_itself_is_done(app: Packhorse, heard: Recorder) -> None:
    handle = deletes.dispatch()
    work_off(app)
    results = {event.id: event.result for event in heard.of(events.JobProcessed)}
    assert results[handle.id] == "deleted"
    assert app.failed.count() == 0


def test_a_middleware_that_returns_first_skips_the_handler(app: Packhorse, heard: Recorder) -> None:
    handle = skipped.dispatch()
    work_off(app)
    results = {event.id: event.result for event in heard.of(events.JobProcessed)}
    assert results[handle.id] == "skipped"
    assert journal.count("skipped") == 1
    assert journal.count("must not run") == 0


def test_a_release_costs_no_try(app: Packhorse) -> None:
    releases_once.dispatch(0.05)
    work_off(app)
    assert [note for note in journal.notes if note != "good 99"] == ["attempt 1", "attempt 1"]
    assert app.failed.count() == 0


def test_a_released_job_waits_for_its_delay(app: Packhorse, heard: Recorder) -> None:
    handle = releases_once.dispatch(60.0)
    good.dispatch(1)
    drain(app)
    waits(app, handle)
    (released,) = heard.of(events.JobReleased)
    assert (released.id, released.delay) == (handle.id, 60.0)
    assert journal.count("good 1") == 1


def test_a_middleware_may_release(app: Packhorse) -> None:
    handle = released_by_middleware.dispatch()
    good.dispatch(1)
    drain(app)
    waits(app, handle)
    assert journal.count("must not run") == 0
    assert journal.count("good 1") == 1


def test_an_exception_is_tried_again_until_the_tries_are_spent(
    app: Packhorse, heard: Recorder
) -> None:
    handle = always_raises.dispatch("no luck")
    work_off(app)
    attempts = [note for note in journal.notes if note.startswith("attempt")]
    assert attempts == ["attempt 1", "attempt 2", "attempt 3"]
    again = heard.of(events.JobReleasedAfterException)
    assert [event.delay for event in again] == [0.05, 0.1]
    found = the_failed(app, handle.id)
    assert found.reason == "failed at attempt 3 of 3"
    assert [(f.attempt, f.type, f.message) for f in found.failures] == [
        (attempt, "ValueError", f"no luck at {attempt}") for attempt in (1, 2, 3)
    ]
    for failure in found.failures:
        assert "in always_raises" in failure.traceback
        assert failure.traceback.rstrip().endswith(f"no luck at {failure.attempt}")
    assert b'"text":"no luck"' in found.body
    (failed,) = heard.of(events.JobFailed)
    assert (failed.id, failed.attempt, str(failed.error)) == (handle.id, 3, "no luck at 3")


def test_failures_are_no_losses_however_many(app: Packhorse) -> None:
    handle = counts_deliveries.dispatch()
    work_off(app)
    assert the_failed(app, handle.id).reason == "failed at attempt 7 of 7"
    assert [note for note in journal.notes if note != "good 99"] == [
        f"attempt {attempt}, delivery 1" for attempt in range(1, 8)
    ]


def test_a_failed_attempt_waits_for_its_backoff(app: Packhorse) -> None:
    handle = always_raises.using(backoff=60).dispatch("later")
    good.dispatch(1)
    drain(app)
    waits(app, handle, failed=1)
    assert journal.count("good 1") == 1


def test_one_try_is_the_default(app: Packhorse) -> None:
    handle = Told(name="Ada").dispatch()
    work_off(app)
    found = the_failed(app, handle.id)
    assert found.reason == "failed at attempt 1 of 1"
    assert [failure.type for failure in found.failures] == ["LookupError"]
    assert journal.count("failed Ada: LookupError Ada") == 1


def test_a_job_that_fails_itself_is_not_tried_again(app: Packhorse) -> None:
    handle = fails_itself.dispatch()
    work_off(app)
    assert the_failed(app, handle.id).reason == "out of paper"
    assert journal.count("failed itself") == 1


def test_a_time_out_may_be_the_end(app: Packhorse, heard: Recorder) -> None:
    handle = sleeps_for_ever.dispatch()
    work_off(app)
    found = the_failed(app, handle.id)
    assert found.reason == "timed out"
    assert [failure.type for failure in found.failures] == ["packhorse.errors.JobTimedOut"]
    (timed_out,) = heard.of(events.JobTimedOut)
    assert (timed_out.id, timed_out.timeout) == (handle.id, 0.2)


def test_tries_that_are_spent_at_the_start(app: Packhorse, heard: Recorder) -> None:
    body = envelope(must_not_run.definition.name, {}, failed=2)
    id = send_body(app, body)
    work_off(app)
    found = the_failed(app, id)
    assert found.body == body
    assert "tries=2" in found.reason
    assert journal.count("must not run") == 0
    (failed,) = heard.of(events.JobFailed)
    assert type(failed.error).__name__ == "MaxAttemptsExceeded"


def test_retry_until_that_is_over_at_the_start(app: Packhorse) -> None:
    over = datetime.now() - timedelta(seconds=5)
    handle = must_not_run.using(retry_until=over).dispatch()
    work_off(app)
    assert the_failed(app, handle.id).reason == "retry_until is over"
    assert journal.count("must not run") == 0


def test_retry_until_that_ends_meanwhile(app: Packhorse) -> None:
    with working(app):
        good.dispatch(1)
        becomes_empty(app)  # the worker is there before the time runs
        handle = raises_until_late.using(retry_until=0.5).dispatch()
        becomes_empty(app)
    found = the_failed(app, handle.id)
    assert found.reason == "retry_until is over"
    assert {failure.message for failure in found.failures} == {"still not"}
    assert journal.count("ran") >= 1


def test_what_has_expired_does_not_run(app: Packhorse, heard: Recorder) -> None:
    handle = must_not_run.using(expires=timedelta(seconds=-1)).dispatch()
    work_off(app)
    results = {event.id: event.result for event in heard.of(events.JobProcessed)}
    assert results[handle.id] == "expired"
    assert journal.count("must not run") == 0
    assert app.failed.count() == 0


UNREADABLE = {
    "nothing": b"",
    "noise": b"\xff\x00\xfe garbage",
    "an empty object": b"{}",
    "no text": b'{"v":1,"id":"x","job":',
    "deep": b"[" * 50_000,
    "another version": envelope("good", {}, v=99),
    "no whole version": envelope("good", {}, v=1.5),
    "no counters": envelope(good.definition.name, {}, failed="many"),
    "a negative counter": envelope(good.definition.name, {}, failed=-3),
    "an enormous counter": envelope(good.definition.name, {}, unknown=-(10**400)),
    "an unknown codec": envelope(good.definition.name, {}, enc=["nobody"]),
    "no body": envelope(good.definition.name, {}, body="text"),
    "options that are none": envelope(good.definition.name, {}, overrides={"tries": "x"}),
    "another serializer": envelope(good.definition.name, {}, ser="pickle"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_message_that_cannot_be_read_is_kept_whole(app: Packhorse, name: str) -> None:
    id = send_body(app, UNREADABLE[name])
    work_off(app)
    found = the_failed(app, id)
    assert found.body == UNREADABLE[name]
    assert found.reason
    assert len(found.failures) == 1
    assert journal.notes == ["good 99"]


WRONG = {
    "a wrong type": '{"number":"seven"}',
    "no such argument": '{"number":7,"colour":"red"}',
    "a null": '{"number":null}',
    "an enormous number": '{"number":1e400}',
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_are_kept_whole(app: Packhorse, name: str) -> None:
    handle = app.queue().push_raw(good.definition.name, WRONG[name])
    work_off(app)
    found = the_failed(app, handle.id)
    assert found.job == good.definition.name
    assert WRONG[name].encode() in found.body
    assert good.definition.name in found.reason
    assert [failure.type for failure in found.failures] == ["packhorse.errors.InvalidPayload"]
    assert journal.notes == ["good 99"]


def test_a_class_that_no_longer_has_a_field(app: Packhorse) -> None:
    handle = app.queue().push_raw(NoLonger.definition.name, {"path": "a.png", "width": 640})
    work_off(app)
    found = the_failed(app, handle.id)
    assert "width" in found.reason
    assert journal.notes == ["good 99"]


def test_an_unknown_name_waits_for_somebody_who_knows_it(app: Packhorse, heard: Recorder) -> None:
    handle = app.queue().push_raw("shop.jobs.nobody_knows", {"a": 1})
    good.dispatch(1)
    drain(app)
    waits(app, handle)
    (unknown,) = heard.of(events.JobUnknown)
    assert (unknown.id, unknown.delay, unknown.seen) == (handle.id, 1.0, 1)
    assert journal.count("good 1") == 1
    assert app.failed.count() == 0


def test_an_unknown_name_is_a_failed_job_in_the_end(make_app: MakeApp) -> None:
    app = make_app(unknown_job_limit=1)
    recorder = Recorder()
    app.on(events.JobUnknown)(recorder)
    handle = app.queue().push_raw("shop.jobs.nobody_knows", {"a": 1})
    work_off(app)
    found = the_failed(app, handle.id)
    assert found.job == "shop.jobs.nobody_knows"
    assert "nobody_knows" in found.reason
    assert b'{"a":1}' in found.body
    assert len(recorder.events) == 1


def test_a_failed_unknown_job_runs_once_somebody_knows_it(make_app: MakeApp) -> None:
    app = make_app(unknown_job_limit=0)
    name = f"tests.learnt_later_{uuid4()}"  # nobody forgets what was learnt once
    handle = app.queue().push_raw(name, {"number": 5})
    work_off(app)
    the_failed(app, handle.id)

    @job(name=name)
    def learnt_later(number: int) -> None:
        journal.note(f"learnt {number}")

    assert app.failed.retry([handle.id]) == 1
    drain(app)
    assert journal.count("learnt 5") == 1
    assert app.failed.count() == 0
    eventually(lambda: app.queue().size() == 0)
