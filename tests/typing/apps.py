"""The app and what it gives."""

from typing import assert_type
from uuid import UUID

from packhorse import Counts, JobHandle, Packhorse, Queue, QueuedJob
from packhorse.failed import FailedJob


def opened() -> None:
    with Packhorse("sqlite:///jobs.db", lease=60) as app:
        assert_type(app, Packhorse)
    Packhorse(config={"connections": {"main": {"url": "memory://"}}})
    Packhorse("memory://", leese=60)  # type: ignore[call-arg]
    Packhorse("memory://", lease="long")  # type: ignore[arg-type]


def looked_into(app: Packhorse, id: UUID) -> None:
    queue = app.queue("media", connection="main")
    assert_type(queue, Queue)
    assert_type(queue.counts(), Counts)
    assert_type(queue.size(), int)
    assert_type(queue.oldest_age(), float | None)
    assert_type(queue.jobs("delayed", limit=5), list[QueuedJob])
    assert_type(queue.get(id), QueuedJob | None)
    assert_type(queue.push_raw("shop.tidy", {"a": 1}), JobHandle)
    assert_type(queue.is_paused(), bool)
    assert_type(app.failed.list(), list[FailedJob])
    assert_type(app.failed.get(id), FailedJob | None)
    assert_type(app.failed.retry("all"), int)
    assert_type(app.failed.retry(id), int)
    assert_type(app.failed.retry([id, "018bcfe5-687b-7000-8000-000000000001"]), int)
    queue.jobs("lost")  # type: ignore[arg-type]
    app.failed.retry(5)  # type: ignore[arg-type]


def worked(app: Packhorse) -> None:
    report = app.worker(["high", "low"], concurrency=2).run(stop_when_empty=True, max_jobs=5)
    assert_type(report.jobs, int)
    assert_type(report.exit_code, int)
    app.worker(concurency=2)  # type: ignore[call-arg]


def traced(handle: JobHandle) -> None:
    assert_type(handle.id, UUID)
    assert_type(handle.cancel(), bool)
    if handle.state() == "dead":
        print(handle.queue)
