"""Jobs that run in processes of their own, and what they do to these."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from packhorse import Isolation, Job, JobContext, job
from packhorse.middleware import RateLimited, per_second
from packhorse.options import Middleware


def note(path: str, text: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{text}\n")


class Refused(ValueError):
    """Takes more than a text."""

    def __init__(self, code: int, *, why: str) -> None:
        super().__init__(f"{why} ({code})")


@job(isolate=True, keep_result=60)
def whoami(ctx: JobContext, number: int) -> tuple[int, int, int]:
    return os.getpid(), os.getppid(), number


@job(isolate=True, keep_result=60)
async def whoami_async(ctx: JobContext, number: int) -> tuple[int, int, int]:
    await asyncio.sleep(0)
    return os.getpid(), os.getppid(), number


@job(keep_result=60)
def plain(number: int) -> int:
    return os.getpid()


@job(isolate=True)
def segfaults() -> None:
    print("reading where nothing is")
    ctypes.string_at(0)


@job(isolate=True)
def exits() -> None:
    os.write(2, b"leaving without a word\n")
    os._exit(3)


@job(isolate=True)
def kills_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@job(isolate=True, tries=0, max_losses=2)
def always_dies(path: str) -> None:
    note(path, "ran")
    os._exit(4)


@job(isolate=Isolation(memory=150))
def hogs() -> None:
    taken = []
    while True:
        taken.append(bytearray(8 * 1024 * 1024))


@job(isolate=Isolation(cpu=1))
def computes() -> None:
    while True:
        pass


@job(isolate=Isolation(files=16))
def opens() -> None:
    files = []
    while True:
        files.append(open(os.devnull))  # noqa: SIM115


@job(isolate=True, timeout=0.3)
def loops() -> None:
    while True:
        pass


@job(isolate=True, timeout=0.3)
def loops_in_c() -> None:
    ctypes.PyDLL(None).sleep(60)


@job(isolate=True, timeout=0.3)
def catches_everything() -> None:
    while True:
        with suppress(BaseException):
            time.sleep(60)


@job(isolate=True, timeout=0.3, soft_timeout=False)
def is_not_interrupted(path: str) -> None:
    try:
        time.sleep(60)
    finally:
        note(path, "interrupted")


@job(isolate=True, timeout=0.3)
def tidies_up(path: str) -> None:
    try:
        while True:
            time.sleep(0.01)
    finally:
        note(path, "tidied up")


@job(isolate=True, timeout=0.3)
async def sleeps_on_a_loop() -> None:
    await asyncio.sleep(60)


@job(isolate=True, timeout=0.3)
async def blocks_a_loop() -> None:
    time.sleep(60)


@job(isolate=True, timeout=0.5)
def starts_another(path: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    note(path, str(child.pid))
    while True:
        with suppress(BaseException):
            time.sleep(60)


@job(isolate=True, tries=2)
def refuses(kind: str) -> None:
    if kind == "own":
        raise Refused(7, why="no")
    if kind == "os":
        raise FileNotFoundError(2, "No such file", "x")
    if kind == "key":
        raise KeyError("x")
    raise type("Local", (ValueError,), {})("made here")


@job(isolate=True, keep_result=60)
def wishes(ctx: JobContext, what: str) -> str:
    if what == "release" and not Path(ctx.tags[0]).exists():
        Path(ctx.tags[0]).touch()
        ctx.release(0.05, "not yet")
    if what == "fail":
        ctx.fail(Refused(9, why="never"))
    if what == "delete":
        ctx.delete("no need")
    return what


@job(isolate=True, timeout=0)
def progresses(ctx: JobContext, go_on: str) -> None:
    ctx.progress(1, 4, "begun")
    while not Path(go_on).exists():
        time.sleep(0.01)
    ctx.progress(4, 4, "over")


@job(isolate=True, timeout=0)
def waits_for_cancel(ctx: JobContext, path: str) -> None:
    note(path, "started")
    while not ctx.cancelled:
        time.sleep(0.01)
    note(path, "told")
    ctx.raise_if_cancelled()


@job(isolate=True)
def link(ctx: JobContext, path: str, name: str) -> None:
    note(path, name)
    assert ctx.chain is not None
    if name == "first":
        ctx.chain.prepend(link.bind(path, "between"))


@job(isolate=True)
def member(ctx: JobContext, path: str, number: int) -> None:
    batch = ctx.batch
    assert batch is not None
    note(path, f"member {number}")
    if number == 0:
        batch.add([member.bind(path, 99)])


@job
def over(path: str) -> None:
    note(path, "over")


@job(isolate=True)
def dispatches(path: str) -> None:
    over.dispatch(path)


@job(isolate=True, keep_result=60)
def gives_what_cannot_travel() -> Any:
    return object()


class Chosen(Job, keep_result=60):
    """Its arguments say whether it runs alone, and it has a middleware of its own."""

    alone: bool
    path: str

    def isolate(self) -> bool:
        return self.alone

    def middleware(self) -> list[Middleware]:
        path = self.path

        def around(ctx: JobContext) -> Iterator[None]:
            note(path, f"before {os.getpid()}")
            yield
            note(path, "after")

        return [around, RateLimited(per_second(100))]

    def handle(self) -> int:
        return os.getpid()


@job(isolate=True, timeout=0)
def lasts(path: str) -> None:
    note(path, f"started {os.getpid()}")
    time.sleep(60)


@job(timeout=0.5)
def holds_the_lock(path: str) -> None:
    """Nothing in its process runs while it sleeps."""
    note(path, f"started {os.getpid()}")
    ctypes.PyDLL(None).sleep(60)


@job(isolate=True, timeout=0)
def lasts_a_second(path: str) -> None:
    note(path, f"started {os.getpid()}")
    time.sleep(1)
    note(path, "ended")


class Checkpoints(Job, isolate=True):
    """Waits until its worker is told to end, and puts itself back; it takes a while until it can start."""

    path: str
    opening: float = 0.0

    def timeout(self) -> float:
        time.sleep(self.opening)
        return 0

    def interrupted(self, signal: int) -> None:
        note(self.path, f"interrupted by {signal} in {os.getpid()}")

    def handle(self, ctx: JobContext) -> None:
        note(self.path, f"started {os.getpid()}")
        if ctx.wait(30) and ctx.interrupted:
            ctx.release(why="to be continued")
            time.sleep(0.2)  # what `interrupted` does is done by then
