"""Opens the driver and its store on files, and children that work on the same file."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from packhorse.clock import SYSTEM_CLOCK, Clock
from packhorse.ids import new_id
from packhorse.plugin import Consumer, Delivery, DriverSetup, Message, Url
from packhorse_sql.driver import SqlDriver
from packhorse_sql.store import SqlStore


def sqlite_url(path: Path, **options: object) -> Url:
    """The URL of a SQLite file."""
    return Url.parse(f"sqlite:///{path}", options)


def open_driver(
    path: Path, clock: Clock = SYSTEM_CLOCK, lease: float = 30.0, **options: object
) -> SqlDriver:
    """A driver on a file; the tests' folder keeps what it leaves."""
    return SqlDriver.open(sqlite_url(path, **options), DriverSetup(clock=clock, lease=lease))


def open_store(path: Path, clock: Clock = SYSTEM_CLOCK, **options: object) -> SqlStore:
    """A store on a file."""
    return SqlStore(sqlite_url(path, **options), DriverSetup(clock=clock))


def take(consumer: Consumer, limit: int = 1_000, wait: float = 0) -> list[Delivery]:
    """Reserves from the queue that these tests use."""
    return list(consumer.reserve(["q"], limit, wait).deliveries)


def messages(*bodies: bytes, once: float = 0.0) -> list[Message]:
    """A message for each body, on the queue that these tests use."""

    return [Message(new_id(), "q", body, once=once) for body in bodies]


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    """Starts a Python process that runs `program`."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(process: subprocess.Popen[str], within: float = 60) -> str:
    """What a process wrote, when it has ended well."""
    output, errors = process.communicate(timeout=within)
    assert process.returncode == 0, errors
    assert errors == ""
    return output


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """The same file, by the bare module."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection
