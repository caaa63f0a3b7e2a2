"""What a job does and how it reports: the same lines for every contender, in its own environment.

A job writes to a shared memory file, at the place of its own number: about a microsecond whatever runs
it, and lost and repeated jobs show apart. Only the standard library may be imported here.
"""

import asyncio
import mmap
import os
import struct
import time
from collections.abc import Callable, Coroutine
from functools import cache

SERVER = os.environ.get("PEERS_SERVER", "")
"""The server's URL; empty in the harness, which must not import the contenders' libraries."""

SLOT = 8
"""Bytes of a job's number in the file; a byte each that counts the runs follows all of them."""


@cache
def _marks() -> tuple[mmap.mmap, int]:
    """The file, and where its counters begin."""
    with open(os.environ["PEERS_MARKS"], "r+b") as file:
        marks = mmap.mmap(file.fileno(), 0)
    return marks, len(marks) // (SLOT + 1) * SLOT


@cache
def _log() -> int:
    return os.open(os.environ["PEERS_MARKS"] + ".log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def _mark(number: int, value: float) -> None:
    marks, counters = _marks()
    struct.pack_into("d", marks, number * SLOT, value)
    marks[counters + number] = min(marks[counters + number] + 1, 255)


def _note(what: str, number: int) -> None:
    os.write(_log(), f"{what} {number} {time.time():.6f}\n".encode())


def noop(number: int) -> None:
    """Nothing."""
    _mark(number, time.time())


def stamp(number: int, sent: float) -> None:
    """Reports how long its way took."""
    _mark(number, time.time() - sent)


def nap(number: int) -> None:
    """Waits 10 ms, as for an answer from elsewhere."""
    time.sleep(0.01)
    _mark(number, time.time())


def slow(number: int) -> None:
    """Takes 0.2 s and writes down both ends, so that a kill in between shows."""
    _note("start", number)
    time.sleep(0.2)
    _note("end", number)
    _mark(number, time.time())


async def noop_async(number: int) -> None:
    _mark(number, time.time())


async def stamp_async(number: int, sent: float) -> None:
    _mark(number, time.time() - sent)


async def nap_async(number: int) -> None:
    await asyncio.sleep(0.01)
    _mark(number, time.time())


async def slow_async(number: int) -> None:
    _note("start", number)
    await asyncio.sleep(0.2)
    _note("end", number)
    _mark(number, time.time())


SYNC: dict[str, Callable[..., None]] = {"noop": noop, "stamp": stamp, "nap": nap, "slow": slow}
ASYNC: dict[str, Callable[..., Coroutine[None, None, None]]] = {
    "noop": noop_async,
    "stamp": stamp_async,
    "nap": nap_async,
    "slow": slow_async,
}


def use_uvloop() -> None:
    """Gives asyncio the faster loop, in worker and sender; for contenders that recommend it."""
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
