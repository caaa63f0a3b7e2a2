"""Jobs that run in the process that dispatched them, and fail: nothing goes without a word."""

import threading
from pathlib import Path

import pytest

from packhorse import ConnectionLost, Job, JobContext, Packhorse, UnknownJob, deferring, events, job
from packhorse.testing import Recorder, eventually

DETACHED = ["deferred://", "background://"]
log: list[str] = []


def an_app(url: str, store: str | None = None) -> Packhorse:
    connections = {"main": {"url": url}, "kept": {"url": "memory://"}}
    if store is not None:
        connections["main"]["store"] = store
    return Packhorse(config={"default": "main", "connections": connections})


@pytest.fixture(params=DETACHED)
def url(request: pytest.FixtureRequest) -> str:
    log.clear()
    given: str = request.param
    return given


class Failing(Job, name="inline.failing", tries=2, backoff=0.01):
    text: str

    def handle(self, ctx: JobContext) -> None:
        log.append(f"{self.text} {ctx.attempt}")
        raise ValueError(f"attempt {ctx.attempt}")

    def failed(self, error: BaseException) -> None:
        log.append(f"failed: {error}")


@job(name="inline.once_more")
def once_more(path: str) -> None:
    log.append("tried")
    if not Path(path).exists():
        raise FileNotFoundError(path)


def test_the_whole_attempt_path(url: str) -> None:
    heard = Recorder()
    with an_app(url, "kept") as app:
        app.on(events.Event)(heard)
        Failing("a").dispatch()
        eventually(lambda: heard.of(events.JobFailed))
    names = [type(event).__name__ for event in heard.events]
    queued = names.index("JobQueued")
    assert names[:queued].count("JobQueueing") == 1
    assert [name for name in names if not name.startswith("JobQueu")] == [
        *("JobProcessing", "JobExceptionOccurred", "JobAttempted", "JobReleasedAfterException"),
        *("JobProcessing", "JobExceptionOccurred", "JobAttempted", "JobFailed"),
    ]
    assert log == ["a 1", "a 2", "failed: attempt 2"]


def test_a_failed_job_is_kept_where_a_store_is_named(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with an_app(url, "kept") as app:
        handle = Failing("a").dispatch()
        [kept] = eventually(app.failed.list)
        assert (kept.id, kept.job, kept.connection) == (handle.id, "inline.failing", "main")
        assert [failure.message for failure in kept.failures] == ["attempt 1", "attempt 2"]
        assert kept.reason == "failed at attempt 2 of 2"
    assert caplog.text == ""


def test_else_it_is_in_the_log_with_job_id_and_traceback(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with an_app(url):
        handle = Failing("a").dispatch()
        [record] = eventually(lambda: list(caplog.records))
    assert record.levelname == "ERROR"
    assert record.name == "packhorse.inline"
    assert record.getMessage() == f"job inline.failing {handle.id} failed for good"
    assert "attempt 2" in caplog.text
    assert "in handle" in caplog.text


def test_a_store_that_is_away_loses_nothing(
    url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(groups: object) -> None:
        raise ConnectionLost("the store is away")

    with an_app(url, "kept") as app:
        monkeypatch.setattr(app.connection("kept").store, "apply", away)
        Failing("a").dispatch()
        eventually(lambda: len(caplog.records) == 2)
    assert "the store did not take the failed job" in caplog.text
    assert "the store is away" in caplog.text
    assert "failed for good" in caplog.text
    assert "attempt 2" in caplog.text


def test_a_failed_job_is_retried_where_it_ran(url: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    with an_app(url, "kept") as app:
        once_more.dispatch(str(path))
        eventually(app.failed.list)
        assert app.failed.retry("all") == 1
        eventually(lambda: len(log) == 2)
        [again] = eventually(app.failed.list)
        assert len(again.failures) == 1, "it failed again and has a new record, which stays"
        path.touch()
        assert app.failed.retry(again.id) == 1
        eventually(lambda: log == ["tried"] * 3)
        eventually(lambda: app.failed.count() == 0)


def test_a_retry_that_fails_at_the_end_of_a_block(tmp_path: Path) -> None:
    log.clear()
    with an_app("deferred://", "kept") as app:
        once_more.dispatch(str(tmp_path / "file"))
        with deferring():
            assert app.failed.retry("all") == 1
            assert app.failed.count() == 0
        assert app.failed.count() == 1


def test_a_name_that_nobody_here_knows(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with an_app(url, "kept") as app:
        app.queue().push_raw("nobody.knows", {})
        [kept] = eventually(app.failed.list)
        assert kept.reason.startswith("no registered job is called 'nobody.knows'")
    assert caplog.text == ""


@pytest.mark.parametrize("store", [None, "kept"])
def test_sync_raises_and_keeps_what_it_has_a_store_for(
    store: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    log.clear()
    with an_app("sync://", store) as app:
        with pytest.raises(ValueError, match="attempt 2"):
            Failing("a").dispatch()
        assert app.failed.count() == (1 if store else 0)
        with pytest.raises(UnknownJob):
            app.queue().push_raw("nobody.knows", {})
        assert app.failed.count() == (2 if store else 0)
        with pytest.raises(ValueError, match="attempt 2"):
            Failing("b").dispatch_sync()
        assert app.failed.count() == (2 if store else 0), "the caller has it"
    assert caplog.text == ""


def test_closing_the_app_ends_what_it_has() -> None:
    log.clear()
    heard = Recorder()
    app = an_app("background://?threads=1", "kept")
    app.on(events.JobFailed)(heard)
    gate, started = threading.Event(), threading.Event()

    @job(name="inline.held")
    def held() -> None:
        started.set()
        gate.wait(10)
        log.append("held")

    with app:
        held.dispatch()
        Failing("a").using(backoff=3_600).dispatch()
        later = Failing("later").using(delay=3_600).dispatch()
        assert started.wait(5)
        gate.set()
    over = "the process ended before it was to start"
    log.remove(f"failed: {over}")
    assert log == ["held", "a 1", "a 2", "failed: attempt 2"], "repeats came at once"
    reasons = {event.id: event.reason for event in heard.of(events.JobFailed)}
    assert reasons[later.id] == over
    assert len(reasons) == 2


def test_an_interrupt_is_a_failed_job_and_goes_on_to_end_the_process() -> None:
    @job(name="inline.interrupted", tries=5)
    def interrupted() -> None:
        log.append("interrupted")
        raise KeyboardInterrupt

    log.clear()
    with an_app("deferred://", "kept") as app:
        with pytest.raises(KeyboardInterrupt):
            interrupted.dispatch()
        [kept] = app.failed.list()
        assert (kept.job, kept.reason) == ("inline.interrupted", "interrupted")
    assert log == ["interrupted"]
