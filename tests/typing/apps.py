"""The app and what it gives."""

from collections.abc import Mapping
from typing import assert_type
from uuid import UUID
from wsgiref.types import WSGIApplication

from packhorse import (
    Counts,
    DeferringASGI,
    DeferringWSGI,
    Job,
    JobHandle,
    Packhorse,
    Queue,
    QueuedJob,
    carried,
    carry,
    deferring,
    job,
)
from packhorse.after_response import ASGIApplication
from packhorse.failed import FailedJob


class Export:
    """A base of jobs."""


@job
def tidy() -> None: ...


def opened() -> None:
    with Packhorse("sqlite:///jobs.db", lease=60) as app:
        assert_type(app, Packhorse)
    Packhorse(config={"connections": {"main": {"url": "memory://"}}})
    Packhorse("memory://", leese=60)  # type: ignore[call-arg]
    Packhorse("memory://", lease="long")  # type: ignore[arg-type]


def routed(app: Packhorse) -> None:
    app.route(Job, queue="jobs")
    app.route(tidy, queue="low", connection="main")
    app.route(Export, connection="main")
    app.route(Job, queue=5)  # type: ignore[arg-type]
    app.route("shop.tidy", queue="low")  # type: ignore[arg-type]


def carried_along(app: Packhorse) -> None:
    with carry(tenant=7, request="r1"):
        assert_type(carried(), Mapping[str, object])
        assert_type(carried("tenant", int), int | None)
    carried("tenant")  # type: ignore[call-overload]

    @app.carrying
    def trace() -> Mapping[str, object]:
        return {"trace": "00-1"}

    @app.carrying  # type: ignore[arg-type]
    def no_mapping() -> int:
        return 5


def after_the_response(asgi: ASGIApplication, wsgi: WSGIApplication) -> None:
    with deferring():
        tidy.dispatch()
    served: ASGIApplication = DeferringASGI(asgi)
    also: WSGIApplication = DeferringWSGI(wsgi)
    print(served, also)
    DeferringASGI(wsgi)  # type: ignore[arg-type]
    DeferringWSGI(tidy)  # type: ignore[arg-type]


def looked_into(app: Packhorse, id: UUID) -> None:
    queue = app.queue("media", connection="main")
    assert_type(queue, Queue)
    assert_type(queue.counts(), Counts)
    assert_type(queue.size(), int)
    assert_type(queue.oldest_age(), float | None)
    assert_type(queue.jobs("delayed", limit=5), list[QueuedJob])
    assert_type(queue.get(id), QueuedJob | None)
    assert_type(queue.push_raw("shop.tidy", {"a": 1}), JobHandle[object])
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


def traced(handle: JobHandle[object]) -> None:
    assert_type(handle.id, UUID)
    assert_type(handle.cancel(), bool)
    assert_type(handle.vetoed, bool)
    if handle.state() == "dead":
        print(handle.queue)
