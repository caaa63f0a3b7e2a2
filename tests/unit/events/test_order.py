"""The events of each way in which a job can end, in their order."""

import pytest

from packhorse import Packhorse, events
from packhorse.testing import Recorder
from tests.unit.events.circus import EVERY, circus, push, work

QUEUEING = ["JobQueueing", "JobQueued"]
RUNS = ["JobPopped", "JobProcessing", "JobAttempted"]
RAISES = ["JobPopped", "JobProcessing", "JobExceptionOccurred", "JobAttempted"]
ORDER: dict[str, list[str]] = {
    "done": [*QUEUEING, *RUNS, "JobProcessed done"],
    "done, async": [*QUEUEING, *RUNS, "JobProcessed done"],
    "raises once": [
        *QUEUEING,
        *RAISES,
        "JobReleasedAfterException",
        *RUNS,
        "JobProcessed done",
    ],
    "raises": [*QUEUEING, *RAISES, "JobReleasedAfterException", *RAISES, "JobFailed"],
    "raises, async": [*QUEUEING, *RAISES, "JobFailed"],
    "raises, and is told": [*QUEUEING, *RAISES, "JobFailed"],
    "releases": [*QUEUEING, *RUNS, "JobReleased", *RUNS, "JobProcessed done"],
    "fails": [*QUEUEING, *RUNS, "JobFailed"],
    "deletes": [*QUEUEING, *RUNS, "JobProcessed deleted"],
    "skipped": [*QUEUEING, *RUNS, "JobProcessed skipped"],
    "expired": [*QUEUEING, "JobPopped", "JobProcessed expired"],
    "too late": [*QUEUEING, "JobPopped", "JobFailed"],
    "cancelled": [*QUEUEING, "JobPopped", "JobProcessed cancelled"],
    "wrong arguments": [*QUEUEING, "JobPopped", "JobFailed"],
    "unknown name": [*QUEUEING, "JobFailed"],
    "unreadable": ["JobFailed"],
}


def told(event: events.Event) -> str:
    name = type(event).__name__
    return f"{name} {event.result}" if isinstance(event, events.JobProcessed) else name


@pytest.mark.parametrize("way", EVERY)
def test_the_events_of_one_job(way: str) -> None:
    with circus() as app:
        heard = Recorder()
        app.on(events.Event)(heard)
        id = push(app, way)
        work(app)
        assert [told(event) for event in heard.of(events.JobEvent)] == ORDER[way]
        assert {event.id for event in heard.of(events.JobEvent)} == {id}


def test_the_events_of_a_worker() -> None:
    with circus() as app:
        push(app, "done")
        heard = Recorder()
        app.on(events.Event)(heard)
        work(app)
    names = [told(event) for event in heard.events]
    assert names[0] == "WorkerStarting"
    assert names.index("JobPopping") < names.index("JobPopped")
    quiet = [name for name in names if name != "JobPopping"]
    assert quiet[-2:] == ["WorkerIdle", "WorkerStopping"]
    (stopping,) = heard.of(events.WorkerStopping)
    assert (stopping.reason, stopping.jobs, stopping.queues) == ("empty", 1, ("default",))
    assert {event.worker for event in heard.of(events.WorkerEvent)} == {stopping.worker}


def test_what_the_events_say() -> None:
    with circus() as app:
        heard = Recorder()
        app.on(events.Event)(heard)
        push(app, "raises")
        work(app)
    attempts = [event.attempt for event in heard.of(events.AttemptEvent)]
    assert attempts == [1, 1, 1, 1, 2, 2, 2, 2]
    assert {event.deliveries for event in heard.of(events.AttemptEvent)} == {1}
    assert {event.job for event in heard.of(events.JobEvent)} == {"circus.act"}
    assert {event.queue for event in heard.of(events.JobEvent)} == {"default"}
    assert {event.connection for event in heard.of(events.JobEvent)} == {"main"}
    (failed,) = heard.of(events.JobFailed)
    assert failed.reason == "failed at attempt 2 of 2"
    errors = [str(event.error) for event in heard.of(events.JobExceptionOccurred)]
    assert errors == ["attempt 1", "attempt 2"]
    assert str(failed.error) == "attempt 2"
    assert all(event.duration >= 0 for event in heard.of(events.JobAttempted))


def test_a_listener_that_raises_at_everything_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(event: events.Event) -> None:
        raise ValueError(type(event).__name__)

    def outcome(app: Packhorse) -> tuple[list[str], int, int]:
        for way in EVERY:
            push(app, way)
        ran = work(app)
        return sorted(one.reason for one in app.failed.list()), app.queue().size(), ran

    with circus() as app:
        undisturbed = outcome(app)
    with circus() as app:
        app.on(events.Event)(broken)
        assert outcome(app) == undisturbed
    assert "a listener to JobFailed failed" in caplog.text
    assert undisturbed[1] == 0


def test_queues_tell_what_is_done_to_them() -> None:
    with circus() as app:
        heard = Recorder()
        app.on(events.Event)(heard)
        queue = app.queue("q")
        queue.pause(5)
        queue.resume()
        queue.clear()
    assert heard.events == [
        events.QueuePaused(connection="main", queue="q", for_=5),
        events.QueueResumed(connection="main", queue="q"),
        events.QueueCleared(connection="main", queue="q", count=0),
    ]


def test_a_failed_job_that_is_retried_says_so() -> None:
    with circus() as app:
        id = push(app, "raises, async")
        work(app)
        heard = Recorder()
        app.on(events.JobRetryRequested)(heard)
        assert app.failed.retry([id]) == 1
    assert [(e.id, e.job) for e in heard.of(events.JobRetryRequested)] == [(id, "circus.later")]
