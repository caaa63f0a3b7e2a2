"""What a job dispatches goes through the app that runs it, whatever app is the default one."""

import pytest

from packhorse import Packhorse, current, events, job


@job
def child() -> None: ...


@job
def parent() -> None:
    child.dispatch()


@job
async def parent_on_the_loop() -> None:
    await child.dispatch_async()


@pytest.fixture
def default(monkeypatch: pytest.MonkeyPatch) -> Packhorse:
    """The default app, to which nothing should go."""
    monkeypatch.setattr(current, "_default", None)
    return Packhorse("memory://")


def test_from_a_worker(default: Packhorse) -> None:
    app = Packhorse("memory://")
    for each in (parent, parent_on_the_loop):
        app.dispatch(each.bind())
    assert app.worker().run(stop_when_empty=True).jobs == 4
    assert default.queue().size() == 0


@pytest.mark.parametrize(
    "event",
    [events.WorkerStarting, events.JobPopped, events.JobProcessing, events.JobProcessed],
    ids=lambda event: event.__name__,
)
def test_from_a_listener_in_any_of_the_workers_threads(
    default: Packhorse, event: type[events.Event]
) -> None:
    app = Packhorse("memory://")
    heard: list[events.Event] = []

    @app.on(event)
    def follow_up(told: events.Event) -> None:
        heard.append(told)
        if len(heard) == 1:
            child.dispatch()

    app.dispatch(child.bind())
    assert app.worker().run(max_jobs=2, max_time=5).jobs == 2
    assert default.queue().size() == 0
    assert app.queue().size() == 0


def test_from_a_job_that_is_run_here(default: Packhorse) -> None:
    app = Packhorse("memory://")
    for each in (parent, parent_on_the_loop):
        app.dispatch_sync(each.bind())
    assert app.queue().size() == 2
    assert default.queue().size() == 0
