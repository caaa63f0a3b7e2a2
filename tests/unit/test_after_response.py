"""Jobs that run after a web server's response: ASGI and WSGI, driven by hand as a server would."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from packhorse import DeferringASGI, DeferringWSGI, Packhorse, carried, carry, job
from packhorse.testing import eventually

log: list[str] = []
threads: list[threading.Thread] = []


@job(name="after.note")
def note(text: str) -> None:
    threads.append(threading.current_thread())
    log.append(f"job {text} {dict(carried())}")


@job(name="after.note_async")
async def note_async(text: str) -> None:
    await asyncio.sleep(0)
    threads.append(threading.current_thread())
    log.append(f"async job {text}")
    note.dispatch(f"after {text}")


@job(name="after.fail")
def fail() -> None:
    log.append("failing")
    raise ValueError("nobody waits for this")


@pytest.fixture(autouse=True)
def _app() -> Iterator[None]:
    log.clear()
    threads.clear()
    with Packhorse("deferred://"):
        yield


async def respond(app: Any, **scope: object) -> None:
    """What a server does with one request."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    async def send(event: dict[str, object]) -> None:
        log.append(str(event["type"]))

    await app({"type": "http", **scope}, receive, send)


class Page:
    """An ASGI app that answers in two parts, and dispatches in between."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self._steps = steps

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "start"})
        for step in self._steps:
            answer = step()
            if isinstance(answer, Awaitable):
                await answer
        await send({"type": "end"})


def test_e4_asgi_runs_them_after_the_response_and_off_the_loop() -> None:
    with carry(request="r1"):
        page = Page(lambda: note.dispatch("a"), lambda: note_async.dispatch("b"))
        asyncio.run(respond(DeferringASGI(page)))
    assert log == [
        "start",
        "end",
        "job a {'request': 'r1'}",
        "async job b",
        "job after b {'request': 'r1'}",
    ]
    assert threading.current_thread() not in threads


def test_the_loop_goes_on_meanwhile() -> None:
    here = threading.Event()
    gone_on = threading.Event()

    @job(name="after.blocks")
    def blocks() -> None:
        here.set()
        assert gone_on.wait(10), "the loop was held up"
        log.append("done")

    async def main() -> None:
        request = asyncio.create_task(respond(DeferringASGI(Page(blocks.dispatch))))
        await asyncio.to_thread(here.wait, 10)
        gone_on.set()
        await request

    asyncio.run(main())
    assert log == ["start", "end", "done"]


def test_helper_threads_and_tasks_of_a_request_belong_to_it() -> None:
    page = Page(
        lambda: asyncio.to_thread(note.dispatch, "thread"),
        lambda: asyncio.create_task(note.dispatch_async("task")),
    )
    asyncio.run(respond(DeferringASGI(page)))
    assert log == ["start", "end", "job thread {}", "job task {}"]


def test_requests_do_not_see_one_another() -> None:
    async def main() -> None:
        app = DeferringASGI(Page(lambda: note.dispatch("x"), lambda: asyncio.sleep(0)))
        await asyncio.gather(*(respond(app) for _ in range(5)))

    asyncio.run(main())
    assert log.count("job x {}") == 5


def test_a_request_that_fails_runs_what_it_sent() -> None:
    def broken() -> None:
        raise LookupError("no such page")

    page = Page(lambda: note.dispatch("a"), broken)
    with pytest.raises(LookupError, match="no such page"):
        asyncio.run(respond(DeferringASGI(page)))
    assert log == ["start", "job a {}"]


def test_what_a_job_raises_disturbs_no_response(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(respond(DeferringASGI(Page(fail.dispatch, lambda: note.dispatch("next")))))
    assert log == ["start", "end", "failing", "job next {}"]
    assert "after.fail" in caplog.text
    assert "nobody waits for this" in caplog.text


def test_what_comes_after_the_request_still_runs() -> None:
    """A task that a request left behind dispatches when its request is long over."""
    go = asyncio.Event()

    async def main() -> None:
        tasks: list[asyncio.Task[object]] = []

        async def later() -> None:
            await go.wait()
            await note.dispatch_async("left behind")

        page = Page(lambda: tasks.append(asyncio.create_task(later())))
        await respond(DeferringASGI(page))
        go.set()
        await asyncio.gather(*tasks)

    asyncio.run(main())
    eventually(lambda: log == ["start", "end", "job left behind {}"])


def test_a_lifespan_is_no_request() -> None:
    async def lifespan(scope: Any, receive: Any, send: Any) -> None:
        await note.dispatch_async("start-up")
        eventually(lambda: log == ["job start-up {}"])

    asyncio.run(respond(DeferringASGI(lifespan), type="lifespan"))
    assert log == ["job start-up {}"]


def serve(app: Any) -> list[bytes]:
    """What a WSGI server does with one request."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    body = app(environ, lambda *_: log.append("headers"))
    try:
        parts = []
        for part in body:
            log.append(part.decode())
            parts.append(part)
        return parts
    finally:
        log.append("sent")
        if hasattr(body, "close"):
            body.close()


class Parts:
    """A body that dispatches while it is sent, and when it is closed."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"one"
        note.dispatch("streamed")
        yield b"two"

    def close(self) -> None:
        note.dispatch("closed")


def test_e4_wsgi_runs_them_when_the_server_closes_the_response() -> None:
    def page(environ: Any, start_response: Any) -> Iterable[bytes]:
        note.dispatch("called")
        start_response("200 OK", [])
        return Parts()

    assert serve(DeferringWSGI(page)) == [b"one", b"two"]
    assert log == [
        "headers",
        "one",
        "two",
        "sent",
        "job called {}",
        "job streamed {}",
        "job closed {}",
    ]
    assert threads == [threading.current_thread()] * 3


def test_wsgi_and_a_plain_list() -> None:
    def page(environ: Any, start_response: Any) -> Iterable[bytes]:
        note_async.dispatch("a")
        fail.dispatch()
        return [b"body"]

    assert serve(DeferringWSGI(page)) == [b"body"]
    assert log == ["body", "sent", "async job a", "failing", "job after a {}"]


def test_a_wsgi_request_that_fails_runs_what_it_sent() -> None:
    def page(environ: Any, start_response: Any) -> Iterable[bytes]:
        note.dispatch("a")
        raise LookupError("no such page")

    with pytest.raises(LookupError, match="no such page"):
        serve(DeferringWSGI(page))
    assert log == ["job a {}"]
