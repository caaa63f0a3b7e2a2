"""Where what was sent to `deferred://` runs: after a web server's response, or at the end of a block."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from packhorse.driver.waiting import Waiting

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# As ASGI has them: what is in a scope and in a message depends on the protocol.
Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]


@contextmanager
def deferring() -> Iterator[None]:
    """Lets what is sent to `deferred://` connections in the block run at its end, however it ends.

    What a job raises is not raised here: it is a failed job. On the thread of an event loop nothing
    runs: a thread of its own takes it over at the block's end.
    """
    waiting = Waiting()
    try:
        with waiting.collecting():
            yield
    finally:
        waiting.run()


class DeferringASGI:
    """ASGI middleware: runs what a request deferred once its response is sent, off the event loop."""

    def __init__(self, app: ASGIApplication) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        waiting = Waiting()
        try:
            with waiting.collecting():
                await self._app(scope, receive, send)
        finally:
            if not waiting.is_over():
                import asyncio

                await asyncio.to_thread(waiting.run)


class DeferringWSGI:
    """WSGI middleware: runs what a request deferred once its response is sent, in the request's thread."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        waiting = Waiting()
        try:
            with waiting.collecting():
                body = self._app(environ, start_response)
        except BaseException:
            waiting.run()  # there will be no response whose end could be waited for
            raise
        return _Body(body, waiting)


class _Body:
    """A response's body; the server closes it when all is sent."""

    def __init__(self, body: Iterable[bytes], waiting: Waiting) -> None:
        self._body = body
        self._waiting = waiting

    def __iter__(self) -> Iterator[bytes]:
        with self._waiting.collecting():
            parts = iter(self._body)
        while True:
            with self._waiting.collecting():
                part = next(parts, None)
            if part is None:
                return
            yield part

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                with self._waiting.collecting():
                    close()
        finally:
            self._waiting.run()
