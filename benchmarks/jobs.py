"""The jobs that benchmarks dispatch."""

import os
import time

from packhorse import job


@job
def noop(n: int) -> None:
    pass


@job
async def noop_async(n: int) -> None:
    pass


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
