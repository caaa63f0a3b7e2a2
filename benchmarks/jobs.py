"""The jobs that benchmarks dispatch."""

import os
import time

from packhorse import job
from packhorse.middleware import RateLimited, per_second


@job
def noop(n: int) -> None:
    pass


@job
async def noop_async(n: int) -> None:
    pass


@job(
    middleware=[RateLimited(per_second(1_000_000, burst=1_000), by=lambda ctx: ctx.arguments["n"])]
)
def limited(n: int) -> None:
    """Asks whether it may start; with these limits it always may."""


@job(unique=True)
def unique(n: int) -> None:
    """One for each number."""


@job
def busy(seconds: float) -> None:
    """Uses so much of a core."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@job
def stamp(sent: float, file: str) -> None:
    """Appends how long the way took, from the dispatch to this first line."""
    line = f"{(time.time() - sent) * 1000}\n".encode()
    out = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(out, line)
    os.close(out)
