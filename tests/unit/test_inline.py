"""Running here and now: the whole attempt path, and the last attempt's exception for the caller."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from packhorse import (
    InvalidPayload,
    Job,
    JobContext,
    MaxAttemptsExceeded,
    Packhorse,
    PackhorseError,
    Unsupported,
    events,
    job,
)
from packhorse.current import current_app
from packhorse.testing import Recorder, Running


@pytest.fixture(params=["memory://", "sync://"])
def app(request: pytest.FixtureRequest) -> Iterator[Packhorse]:
    with Packhorse(request.param) as app:
        yield app


@pytest.fixture
def heard(app: Packhorse) -> Recorder:
    recorder = Recorder()
    app.on(events.Event)(recorder)
    return recorder


def names(heard: Recorder) -> list[str]:
    return [type(event).__name__ for event in heard.events]


def test_it_gives_the_result(app: Packhorse, heard: Recorder) -> None:
    @job
    def add(a: int, b: int) -> int:
        return a + b

    assert add.dispatch_sync(1, b=2) == 3
    assert names(heard) == ["JobProcessing", "JobAttempted", "JobProcessed"]
    assert {event.worker for event in heard.of(events.AttemptEvent)} == {"inline"}


def test_the_job_gets_what_travelled_and_not_what_was_given(app: Packhorse) -> None:
    @job
    def spoil(numbers: list[int]) -> int:
        numbers.append(1)
        return len(numbers)

    mine = [1, 2]
    assert spoil.dispatch_sync(mine) == 3
    assert mine == [1, 2]
    with pytest.raises(InvalidPayload):
        spoil.dispatch_sync(["x"])  # type: ignore[list-item]


def test_an_async_job_runs_on_a_loop_of_its_own(app: Packhorse) -> None:
    @job
    async def wait(ctx: JobContext, a: int) -> tuple[int, bool]:
        await asyncio.sleep(0)
        return a, JobContext.current() is ctx

    assert wait.dispatch_sync(1) == (1, True)


def test_an_async_job_is_refused_where_a_loop_is_running(app: Packhorse, heard: Recorder) -> None:
    @job(name="wait")
    async def wait() -> int:
        return 1

    async def main() -> int:
        with pytest.raises(Unsupported, match=r"^job wait: an async job cannot run here .* await"):
            wait.dispatch_sync()
        assert names(heard) == []
        return await asyncio.to_thread(wait.dispatch_sync)

    assert asyncio.run(main()) == 1


def test_retries_follow_at_once(app: Packhorse, heard: Recorder) -> None:
    @job(tries=3, backoff=3_600)
    def flaky(ctx: JobContext) -> int:
        if ctx.attempt < 3:
            raise ValueError(f"attempt {ctx.attempt}")
        return ctx.attempt

    started = time.monotonic()
    assert flaky.dispatch_sync() == 3
    assert time.monotonic() - started < 60
    failing = ["JobProcessing", "JobExceptionOccurred", "JobAttempted", "JobReleasedAfterException"]
    assert names(heard) == [*failing, *failing, "JobProcessing", "JobAttempted", "JobProcessed"]


def test_the_last_exception_is_the_callers(app: Packhorse, heard: Recorder) -> None:
    told: list[tuple[str, str]] = []

    class Failing(Job, tries=2):
        a: str

        def handle(self, ctx: JobContext) -> None:
            self.a = "changed"
            raise ValueError(f"attempt {ctx.attempt}")

        def failed(self, error: BaseException) -> None:
            told.append((self.a, str(error)))

    with pytest.raises(ValueError, match="attempt 2") as caught:
        Failing("mine").dispatch_sync()
    assert told == [("mine", "attempt 2")], "failed() gets a fresh copy, once"
    (failed,) = heard.of(events.JobFailed)
    assert failed.error is caught.value
    assert failed.reason == "failed at attempt 2 of 2"


def test_a_failed_that_raises_hides_nothing(
    app: Packhorse, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Job, name="failing"):
        def handle(self) -> None:
            raise ValueError("the job's own")

        def failed(self, error: BaseException) -> None:
            raise KeyError("another")

    with pytest.raises(ValueError, match="the job's own"):
        Failing().dispatch_sync()
    assert "job failing" in caplog.text
    assert "its failed() raised" in caplog.text


def test_what_the_job_asks_for(app: Packhorse, heard: Recorder) -> None:
    @job
    def asks(ctx: JobContext, what: str) -> str:
        match what:
            case "fail":
                ctx.fail("enough")
            case "fail with":
                ctx.fail(KeyError("mine"))
            case "delete":
                ctx.delete()
            case "release":
                released.append(ctx.attempt)
                if len(released) < 3:
                    ctx.release(3_600)
        return "result"

    released: list[int] = []
    assert asks.dispatch_sync("delete") == "result"
    assert asks.dispatch_sync("release") == "result"
    assert released == [1, 1, 1], "a release moves no counter"
    with pytest.raises(PackhorseError, match=r"asks: enough$"):
        asks.dispatch_sync("fail")
    with pytest.raises(KeyError, match="mine"):
        asks.dispatch_sync("fail with")
    assert [event.result for event in heard.of(events.JobProcessed)] == ["deleted", "done"]
    assert [event.delay for event in heard.of(events.JobReleased)] == [3_600.0, 3_600.0]


def test_options_of_the_message_count(app: Packhorse) -> None:
    attempts: list[int] = []

    @job
    def failing(ctx: JobContext) -> None:
        attempts.append(ctx.attempt)
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        failing.using(tries=3).dispatch_sync()
    assert attempts == [1, 2, 3]


def test_moments_that_are_over(app: Packhorse, heard: Recorder) -> None:
    @job
    def late() -> int:
        return 1

    assert late.using(expires=-1).dispatch_sync() is None
    assert [event.result for event in heard.of(events.JobProcessed)] == ["expired"]
    with pytest.raises(MaxAttemptsExceeded, match="retry_until is over"):
        late.using(retry_until=-1).dispatch_sync()


def test_a_coroutine_that_nobody_would_await_is_an_error(app: Packhorse) -> None:
    async def real() -> int:
        return 1

    @job(name="wrapped")
    def wrapped() -> object:
        return real()

    with pytest.raises(TypeError, match=r"^job wrapped: it gave back a coroutine, .* async def"):
        wrapped.dispatch_sync()


def test_what_the_job_sends_goes_through_the_app_that_runs_it(app: Packhorse) -> None:
    seen: list[Packhorse] = []

    @job
    def looks() -> None:
        seen.append(current_app())

    other = Packhorse("memory://")
    with other:
        app.dispatch_sync(looks.bind())
        assert seen == [app]
        assert current_app() is other


def test_an_interrupt_ends_it_at_once(app: Packhorse) -> None:
    attempts: list[int] = []

    @job(tries=9)
    def interrupted(ctx: JobContext) -> None:
        attempts.append(ctx.attempt)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted.dispatch_sync()
    assert attempts == [1]


def test_the_context_is_the_jobs_and_gone_afterwards(app: Packhorse) -> None:
    seen: list[JobContext | None] = []

    @job(name="inner")
    def inner() -> None:
        seen.append(JobContext.current())

    @job(name="outer", tags=["vip"])
    def outer(ctx: JobContext) -> None:
        seen.append(JobContext.current())
        inner.dispatch_sync()
        seen.append(JobContext.current())
        seen.append(Running(JobContext.current).answer())

    outer.dispatch_sync()
    first, nested, again, elsewhere = seen
    assert first is not None
    assert again is first
    assert (first.job, first.attempt, first.deliveries, first.tags) == ("outer", 1, 1, ("vip",))
    assert (first.connection, first.queue, first.worker) == ("main", "default", "inline")
    assert first.token
    assert nested is not None
    assert nested.job == "inner"
    assert elsewhere is None
    assert JobContext.current() is None
    assert repr(first) == f"<context of outer {first.id}, attempt 1>"


def test_sync_connections_run_at_the_push() -> None:
    ran: list[int] = []

    @job
    def runs(a: int) -> None:
        ran.append(a)
        if a == 2:
            raise ValueError("two")

    with Packhorse("sync://") as app:
        handle = runs.dispatch(1)
        assert ran == [1]
        assert app.queue().size() == 0
        assert handle.job.endswith("runs")
        with pytest.raises(ValueError, match="two"):
            app.push_many([runs.bind(2), runs.bind(3)])
    assert ran == [1, 2]
