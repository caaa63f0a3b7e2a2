"""One attempt step by step: what is opened, what runs, and what follows from how it ended."""

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from packhorse import Job, JobContext, JobTimedOut, Packhorse, job
from packhorse.context import Fail, Release
from packhorse.dispatch import message_for
from packhorse.driver.message import Message
from packhorse.wire.envelope import Body
from packhorse.wire.seal import open_body, open_envelope, recount, seal
from packhorse.worker.attempt import Again, Bury, Ending, Finish
from packhorse.worker.time_up import TimeUp
from tests.unit.worker.attempts import execution

BAD: dict[str, BaseException] = {
    "ValueError": ValueError("no"),
    "SystemExit": SystemExit(1),
    "KeyboardInterrupt": KeyboardInterrupt(),
    "StopIteration": StopIteration(),
    "GeneratorExit": GeneratorExit(),
}


@pytest.fixture
def app() -> Iterator[Packhorse]:
    with Packhorse("memory://") as app:
        yield app


@job(name="execution.plain", tries=3, backoff=5, timeout=7)
def plain(number: int = 1) -> int:
    return number + 1


@job(name="execution.later", tries=3)
async def later(number: int = 1) -> int:
    await asyncio.sleep(0)
    return number + 1


@job(name="execution.raising", tries=2)
def raising(name: str) -> None:
    raise BAD[name]


@job(name="execution.raising_later", tries=2)
async def raising_later(name: str) -> None:
    raise BAD[name]


def recounted(app: Packhorse, failed: int = 0, lost: int = 0) -> Message:
    message = message_for(plain.bind(), app.connection())
    body = recount(open_envelope(message.body), failed=failed, lost=lost, unknown=0)
    return Message(message.id, message.queue, body)


def test_a_run(app: Packhorse) -> None:
    one = execution(app, plain.bind(5))
    assert one.prepare() is None
    assert one.conclude(one.run()) == Finish("done")
    assert one.result == 6
    other = execution(app, later.bind(5))
    assert other.prepare() is None
    assert other.conclude(asyncio.run(other.run_async())) == Finish("done")
    assert other.result == 6


def test_what_is_counted(app: Packhorse) -> None:
    one = execution(app, recounted(app, failed=1, lost=1), deliveries=3)
    assert one.prepare() is None
    assert (one.facts.failed, one.facts.lost) == (1, 3)
    assert (one.context.attempt, one.context.deliveries) == (2, 3)
    assert one.context.token == b"token"


@pytest.mark.parametrize(
    ("failed", "lost", "deliveries", "reason"),
    [
        (3, 0, 1, "failed 3 times, tries=3"),
        (0, 4, 1, "quarantined: started and never reported back 4 times"),
        (0, 0, 5, "quarantined: started and never reported back 4 times"),
        (0, 2, 3, "quarantined: started and never reported back 4 times"),
    ],
)
def test_what_is_not_run_any_more(
    app: Packhorse, failed: int, lost: int, deliveries: int, reason: str
) -> None:
    verdict = execution(app, recounted(app, failed, lost), deliveries).prepare()
    assert isinstance(verdict, Bury)
    assert verdict.reason == reason


def test_what_was_cancelled_does_not_run_even_if_it_cannot_be_read(app: Packhorse) -> None:
    message = message_for(plain.bind(), app.connection())
    body = message.body.replace(b'"args"', b'"arg_"')
    assert body != message.body
    broken = msgspec.structs.replace(message, body=body)
    assert isinstance(execution(app, broken).prepare(), Bury)
    assert execution(app, broken, cancelled=True).prepare() == Finish("cancelled")


@pytest.mark.parametrize("name", BAD)
def test_whatever_a_handler_raises_is_a_failure(app: Packhorse, name: str) -> None:
    one = execution(app, raising.bind(name))
    assert one.prepare() is None
    verdict = one.conclude(one.run())
    assert isinstance(verdict, Again)
    assert verdict.error is BAD[name]
    assert JobContext.current() is None


@pytest.mark.parametrize("name", ["ValueError", "SystemExit", "GeneratorExit"])
def test_whatever_a_coroutine_raises_is_a_failure(app: Packhorse, name: str) -> None:
    one = execution(app, raising_later.bind(name))
    assert one.prepare() is None
    verdict = one.conclude(asyncio.run(one.run_async()))
    assert isinstance(verdict, Again)
    assert verdict.error is BAD[name]


def test_a_time_out_is_told_from_an_exception(app: Packhorse) -> None:
    one = execution(app, plain.bind())
    assert one.prepare() is None
    assert one.ending(TimeUp()) != Ending(timed_out=True), "nobody asked it to stop"
    one.timed_out = True
    ending = one.ending(TimeUp())
    assert ending.timed_out
    assert isinstance(ending.error, JobTimedOut)
    assert str(ending.error) == "job execution.plain: stopped after its timeout of 7 s"
    own = ValueError("its own")
    assert one.ending(own) == Ending(own), "it failed by itself at the last moment"
    assert one.conclude(one.ending(None)) == Finish("done"), "it was done at the last moment"


def test_a_job_that_was_cancelled_while_it_ran_is_cancelled(app: Packhorse) -> None:
    one = execution(app, later.bind())
    assert one.prepare() is None
    stopped = Ending(asyncio.CancelledError())
    assert isinstance(one.conclude(stopped), Again)
    one.cancelled = True
    assert one.conclude(stopped) == Finish("cancelled")
    assert one.conclude(Ending(ValueError())) == Finish("cancelled"), "it was told, and gave up"
    assert one.conclude(one.ending(None)) == Finish("done"), "it had come to its end"


def test_a_wish_is_kept_whatever_happens_then(app: Packhorse) -> None:
    one = execution(app, plain.bind())
    assert one.prepare() is None
    one.context.release(9)
    assert one.ending(None).wish == Release(9.0)
    assert one.conclude(one.ending(None)) == Again(9.0, 0, 0)
    one.context.fail("enough")
    one.context.release(1)
    one.context.delete()
    assert one.context.wish == Fail("enough")


def wrapped(log: list[str], *names: str) -> list[Any]:
    def make(name: str) -> Any:
        def around(ctx: JobContext) -> Iterator[None]:
            log.append(f"{name} in {JobContext.current() is ctx}")
            yield
            log.append(f"{name} out")

        return around

    return [make(name) for name in names]


@pytest.mark.parametrize("is_async", [False, True])
def test_the_apps_middleware_stands_outside_the_jobs(app: Packhorse, is_async: bool) -> None:
    log: list[str] = []
    if is_async:

        @job(name="mine", middleware=wrapped(log, "job"))
        async def mine() -> None:
            log.append("handle")

    else:

        @job(name="mine", middleware=wrapped(log, "job"))
        def mine() -> None:
            log.append("handle")

    one = execution(app, mine.bind())
    one.site = msgspec.structs.replace(one.site, middleware=tuple(wrapped(log, "app")))
    assert one.prepare() is None
    ending = asyncio.run(one.run_async()) if is_async else one.run()
    assert one.conclude(ending) == Finish("done")
    assert log == ["app in True", "job in True", "handle", "job out", "app out"]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), KeyboardInterrupt()])
@pytest.mark.parametrize("option", ["tries", "timeout", "backoff", "middleware"])
def test_a_method_that_raises_ends_the_attempt_and_nothing_else(
    app: Packhorse, option: str, error: BaseException
) -> None:
    def method(*_: object) -> object:
        raise error

    class Raising(Job, name="method", tries=2):
        def handle(self) -> None:
            raise KeyError("handled")

    Raising.definition.methods = {option: method}
    one = execution(app, Raising().using())
    verdict = one.prepare()
    if verdict is None:
        verdict = one.conclude(one.run())
    assert isinstance(verdict, Bury | Again)
    assert verdict.error is error
    if isinstance(verdict, Bury) and isinstance(error, ValueError):
        assert "job method" in verdict.reason
        assert "no" in verdict.reason


def test_options_of_the_message_that_are_none(app: Packhorse) -> None:
    message = message_for(plain.bind(), app.connection())
    envelope = open_envelope(message.body)
    body = open_body(envelope, {}, Body)
    wrong = msgspec.structs.replace(body, overrides={"tries": msgspec.Raw(b"-1")})
    data = seal(wrong, (), id=envelope.id, job=envelope.job, at=envelope.at)
    verdict = execution(app, Message(message.id, "q", data)).prepare()
    assert isinstance(verdict, Bury)
    assert "wrong options in the message: the message: tries=-1 must be" in verdict.reason
