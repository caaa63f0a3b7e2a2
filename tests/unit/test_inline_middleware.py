"""Middleware round jobs that run here and now."""

import asyncio
from collections.abc import Iterator

import pytest

from packhorse import (
    Job,
    JobContext,
    Packhorse,
    job,
)


@pytest.fixture(params=["memory://", "sync://"])
def app(request: pytest.FixtureRequest) -> Iterator[Packhorse]:
    with Packhorse(request.param) as app:
        yield app


def test_middleware_stands_round_each_attempt(app: Packhorse) -> None:
    log: list[str] = []

    def around(ctx: JobContext) -> Iterator[None]:
        log.append(f"in {ctx.attempt}")
        yield
        log.append("out")

    def skips(ctx: JobContext) -> Iterator[None]:
        if ctx.attempt == 9:
            yield

    class Wrapped(Job, tries=2):
        skip: bool

        def middleware(self) -> list[object]:
            return [around, skips] if self.skip else [around]

        def handle(self, ctx: JobContext) -> str:
            log.append("handle")
            if ctx.attempt == 1:
                raise ValueError
            return "result"

    assert Wrapped(False).dispatch_sync() == "result"
    assert log == ["in 1", "handle", "in 2", "handle", "out"]
    log.clear()
    assert Wrapped(True).dispatch_sync() is None
    assert log == ["in 1", "out"]


def test_middleware_stands_round_async_jobs_too(app: Packhorse) -> None:
    log: list[object] = []

    def around(ctx: JobContext) -> Iterator[None]:
        log.append(JobContext.current() is ctx)
        try:
            yield
        except ValueError as error:
            log.append(str(error))

    @job(middleware=[around])
    async def failing() -> None:
        await asyncio.sleep(0)
        raise ValueError("seen")

    assert failing.dispatch_sync() is None
    assert log == [True, "seen"]
