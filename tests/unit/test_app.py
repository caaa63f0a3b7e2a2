"""What plugins bring, at work in an app: round each push, round each attempt, and listening."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from packhorse import JobContext, Packhorse, PackhorseError, events, job
from packhorse.sending import Push
from tests.plugins.throwaway import installed

log: list[str] = []
veto: list[BaseException | None] = []


def outer(sending: Sequence[Push]) -> Iterator[None]:
    log.append(f"outer {[push.job for push in sending]}")
    try:
        yield
    except BaseException as error:
        log.append(f"outer saw {error}")
        raise
    log.append("outer sent")


def inner(sending: Sequence[Push]) -> Iterator[None]:
    log.append(f"inner {sending[0].queue} {sending[0].connection} {sending[0].delay}")
    for error in veto:
        if error is None:
            return
        raise error
    yield


def swallowing(sending: Sequence[Push]) -> Iterator[None]:
    try:
        yield
    except ValueError:
        log.append("swallowed")


def around(ctx: JobContext) -> Iterator[None]:
    log.append(f"around {ctx.job}")
    yield


def listener(event: events.JobEvent) -> None:
    log.append(type(event).__name__)


class Service:
    def __init__(self, app: Packhorse) -> None:
        self.app = app

    def start(self) -> None:
        log.append("started")

    def stop(self) -> None:
        log.append("stopped")


PLUGIN = """
from packhorse import plugin
from packhorse.plugin import hookimpl

HERE = "tests.unit.test_app:"

@hookimpl
def packhorse_dispatching():
    return [
        plugin.DispatchingSpec("swallowing", HERE + "swallowing", order=3),
        plugin.DispatchingSpec("inner", HERE + "inner", order=2),
        plugin.DispatchingSpec("outer", HERE + "outer", order=1),
    ]

@hookimpl
def packhorse_middleware():
    return [plugin.MiddlewareSpec("around", HERE + "around")]

@hookimpl
def packhorse_listeners():
    return [plugin.ListenerSpec("listener", HERE + "listener", events=("JobQueued", "JobProcessed"))]

@hookimpl
def packhorse_services():
    return [plugin.ServiceSpec("service", HERE + "Service")]
"""


@job(name="app.work")
def work(number: int = 0) -> None:
    log.append(f"work {number}")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packhorse]:
    installed(tmp_path, monkeypatch, "band", PLUGIN)
    log.clear()
    veto.clear()
    with Packhorse("memory://", plugins=["band"]) as app:
        yield app


def test_round_each_push(app: Packhorse) -> None:
    app.queue("low").push_many([work.using(delay=60).bind(n) for n in range(2)])
    assert log == [
        "outer ['app.work', 'app.work']",
        "inner low main 60.0",
        "outer sent",
        "JobQueued",
        "JobQueued",
    ]
    assert app.queue("low").size() == 2


def test_every_way_of_pushing_is_a_push(app: Packhorse) -> None:
    queue = app.queue("low")
    work.dispatch()
    work.using(delay=5).dispatch()
    app.dispatch(work.bind())
    queue.push(work.bind())
    queue.later(5, work.bind())
    queue.push_many([work.bind(), work.bind()])
    queue.push_raw("nobody's", {}, delay=7.0)
    told = [line for line in log if line.startswith(("outer [", "inner "))]
    one = "outer ['app.work']"
    assert told == [
        *(one, "inner default main 0.0"),
        *(one, "inner default main 5.0"),
        *(one, "inner default main 0.0"),
        *(one, "inner low main 0.0"),
        *(one, "inner low main 5.0"),
        *("outer ['app.work', 'app.work']", "inner low main 0.0"),
        *('outer ["nobody\'s"]', "inner low main 7.0"),
    ]


def test_a_push_that_is_stopped(app: Packhorse) -> None:
    veto.append(PermissionError("not today"))
    with pytest.raises(PermissionError, match="not today"):
        work.dispatch()
    assert log == ["outer ['app.work']", "inner default main 0.0", "outer saw not today"]
    assert app.queue().size() == 0


def test_a_function_that_does_not_yield_is_told_to_raise(app: Packhorse) -> None:
    veto.append(None)
    with pytest.raises(PackhorseError, match="returned before its yield; nothing was sent"):
        work.dispatch()
    assert app.queue().size() == 0


def test_a_failed_push_cannot_be_hidden(app: Packhorse, monkeypatch: pytest.MonkeyPatch) -> None:
    def send(*_: object) -> None:
        raise ValueError("the broker is on fire")

    monkeypatch.setattr(app.connection().driver, "send", send)
    with pytest.raises(PackhorseError, match="hid that the push failed"):
        work.dispatch()
    assert "swallowed" in log
    assert "JobQueued" not in log


def test_round_each_attempt_and_as_long_as_the_worker(app: Packhorse) -> None:
    work.dispatch(1)
    log.clear()
    app.worker().run(stop_when_empty=True)
    assert log == ["started", "around app.work", "work 1", "JobProcessed", "stopped"]
    log.clear()
    work.dispatch_sync(2)
    assert log == ["around app.work", "work 2", "JobProcessed"]
