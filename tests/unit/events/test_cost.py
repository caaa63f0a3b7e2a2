"""What nobody asked for costs nothing: no event is built, and no hook is called for a job."""

from typing import Any, NoReturn

import pluggy
import pytest

from packhorse import Packhorse, events
from packhorse.events import operations, types
from packhorse.plugin import hookspecs
from tests.unit.events.circus import EVERY, circus, push, work


def everything(app: Packhorse, times: int = 1) -> int:
    for _ in range(times):
        for way in EVERY:
            push(app, way)
    app.queue("side").pause()
    app.worker(["side"]).run(stop_when_empty=True)
    app.queue("side").resume()
    app.queue("side").clear()
    ran = work(app)
    assert app.queue().size() == 0
    app.failed.retry("all")
    app.queue().clear()
    return ran


def test_no_event_is_built_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def stand_in(name: str) -> Any:
        def build(*_: object, **__: object) -> NoReturn:
            built.append(name)
            raise AssertionError(f"{name} was built")

        return type(name, (), {"__new__": build})

    for name in events.__all__:
        fake = stand_in(name)
        home = types if hasattr(types, name) else operations
        monkeypatch.setattr(home, name, fake)
        monkeypatch.setattr(events, name, fake)
    with circus() as app:
        assert everything(app) > len(EVERY) / 2
    assert built == []


def test_those_that_somebody_listens_to_are_built() -> None:
    """The test above could not fail if the names were looked up elsewhere."""
    heard: list[events.Event] = []
    with circus() as app:
        app.on(events.Event)(heard.append)
        everything(app)
    seen = {type(event).__name__ for event in heard}
    assert seen >= {
        "JobQueueing",
        "JobQueued",
        "JobPopping",
        "JobPopped",
        "JobProcessing",
        "JobAttempted",
        "JobExceptionOccurred",
        "JobProcessed",
        "JobReleased",
        "JobReleasedAfterException",
        "JobFailed",
        "JobRetryRequested",
        "QueuePaused",
        "WorkerQueuePaused",
        "QueueResumed",
        "QueueCleared",
        "WorkerStarting",
        "WorkerIdle",
        "WorkerStopping",
    }


def test_no_hook_is_called_once_the_app_is_wired(monkeypatch: pytest.MonkeyPatch) -> None:
    original = pluggy.HookCaller.__call__

    def guarded(caller: pluggy.HookCaller, **arguments: object) -> object:
        # The test run itself is made of hooks, of other names.
        assert not caller.name.startswith("packhorse_"), f"the hook {caller.name} was called"
        return original(caller, **arguments)

    made_before = pluggy.PluginManager(hookspecs.GROUP)
    made_before.add_hookspecs(hookspecs)
    assert made_before.hook.packhorse_drivers() == []
    with circus() as app:
        assert app.connection().driver is not None
        monkeypatch.setattr(pluggy.HookCaller, "__call__", guarded)
        with pytest.raises(AssertionError, match="the hook packhorse_drivers was called"):
            made_before.hook.packhorse_drivers()
        assert everything(app, times=200 // len(EVERY) + 1) > 100
