"""Middleware: what goes round each attempt, the same for `def` and `async def` jobs.

python examples/middleware.py
"""

import asyncio
import contextvars
import time
from collections.abc import Iterator

from packhorse import JobContext, Packhorse, job

app = Packhorse("memory://")
tenant = contextvars.ContextVar("tenant", default="nobody")

Around = Iterator[None]


def timed(ctx: JobContext) -> Around:
    """Tells how long an attempt took, however it ended."""
    started = time.perf_counter()
    try:
        yield
    finally:
        print(f"{ctx.job}: {time.perf_counter() - started:.2f} s")


def for_tenant(ctx: JobContext) -> Around:
    """Lets code below the job know for whom it works, by a tag of the message."""
    token = tenant.set(ctx.tags[0] if ctx.tags else "nobody")
    try:
        yield
    finally:
        tenant.reset(token)


def later_if_busy(ctx: JobContext) -> Around:
    """Puts the job back when the service says that it is busy; this costs no attempt."""
    try:
        yield
    except BlockingIOError:
        ctx.release(delay=0.1)


busy = iter([True, False])


@job(middleware=[timed, for_tenant])
async def report(month: str) -> None:
    await asyncio.sleep(0.01)
    print(f"report {month} for {tenant.get()}")


@job(middleware=[timed, later_if_busy])
def call() -> None:
    if next(busy):
        raise BlockingIOError("busy")
    print("called")


if __name__ == "__main__":
    report.using(tags=["acme"]).dispatch("2026-01")
    call.dispatch()
    app.worker().run(stop_when_empty_for=0.5)
