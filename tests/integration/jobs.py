"""Jobs for worker processes: they write down when they ran, and some take their process with them.

Each line of the diary is written at once, at the end of the file, so that any number of processes
can share it. The monotonic clock is one for all processes of a machine.
"""

import os
import time

from packhorse import JobContext, job

DIARY = "PACKHORSE_TEST_DIARY"
"""The variable that names the file."""


def write(what: str, number: int, deliveries: int) -> None:
    line = f"{what} {number} {os.getpid()} {time.monotonic()} {deliveries}\n"
    file = os.open(os.environ[DIARY], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


@job
def lasts(ctx: JobContext, number: int, seconds: float) -> None:
    write("start", number, ctx.deliveries)
    time.sleep(seconds)
    write("end", number, ctx.deliveries)


@job
def quick(ctx: JobContext, number: int) -> None:
    write("start", number, ctx.deliveries)
    write("end", number, ctx.deliveries)


@job
def poison(ctx: JobContext, number: int) -> None:
    write("start", number, ctx.deliveries)
    os._exit(3)


@job(at_most_once=True)
def dies_at_most_once(ctx: JobContext, number: int) -> None:
    write("start", number, ctx.deliveries)
    os._exit(3)


@job
def forks_and_dispatches(ctx: JobContext, number: int) -> None:
    """A child process of a running job sends another, and its parent goes on."""
    write("start", number, ctx.deliveries)
    child = os.fork()
    if child == 0:
        try:
            quick.dispatch(number + 1000)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    write("end", number, ctx.deliveries)
