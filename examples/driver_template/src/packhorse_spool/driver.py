"""`spool:///folder`: each message is a file, and its name says where it stands.

Every verb locks the folder, so threads and processes may share it. What it cannot do is left out of
its capabilities: follow-ups, known ids, listing, pausing, keeping dead messages. It is written to
be read: a verb costs a look at every file of the queue.
"""

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from packhorse.plugin import (
    Capabilities,
    ConfigError,
    ConnectionLost,
    Consumer,
    Counts,
    Driver,
    DriverSetup,
    Message,
    Sent,
    Url,
    limits,
)
from packhorse_spool.consumer import SpoolConsumer
from packhorse_spool.entry import Entry


class SpoolDriver(Driver):
    """One folder. May be used from any thread, and by several processes on one machine."""

    capabilities = Capabilities(follow="before", known_ids=False)

    def __init__(self, folder: Path, setup: DriverSetup) -> None:
        self.folder = folder
        self.clock = setup.clock
        self.lease = setup.lease
        self._connection = setup.connection
        self._start()

    @classmethod
    def open(cls, url: Url, setup: DriverSetup) -> "SpoolDriver":
        url.expect([])
        if url.host or not url.path.strip("/"):
            raise ConfigError(f"{url} names no folder; write spool:///folder/of/yours")
        return cls(Path(url.path), setup)

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        limits.check(messages, self.capabilities, self._connection)
        with self.locked() as now:
            for message in messages:
                due = now + round(message.delay * 1e6)
                entry = Entry(due, self.next_number(), message.id)
                self.write(message.queue, entry, message.body)
        return [Sent(message.id, "stored") for message in messages]

    def consumer(self, worker: str) -> Consumer:
        return SpoolConsumer(self)

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        with self.locked() as now:
            entries = self.entries(queue)
        reserved = sum(1 for each in entries if each.token)
        delayed = sum(1 for each in entries if not each.token and each.due > now)
        exact = (len(entries) - reserved - delayed, delayed, reserved)
        ready, delayed, reserved = (min(number, cap) for number in exact)
        return Counts(ready, delayed, reserved, capped=max(exact) > cap)

    def after_fork(self) -> None:
        self._start()

    def close(self) -> None:
        """There is nothing to give back."""

    def _start(self) -> None:
        self._mutex = threading.Lock()
        self._ahead = float("-inf")

    # What the consumer needs too: the lock, the clock and the files.

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Locks the folder for all processes; gives the moment, in microseconds.

        A client's errors end here: whatever the file system raises leaves as `ConnectionLost`.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._mutex, open(self.folder / "lock", "a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # closing the file gives it back
                yield self._now()
        except OSError as error:
            raise ConnectionLost(
                f"connection {self._connection!r}: the folder {self.folder} cannot be used: {error}"
            ) from error

    def entries(self, queue: str) -> list[Entry]:
        """The messages of a queue, in their order; under the lock."""
        folder = self._of(queue)
        if not folder.exists():
            return []
        return sorted(Entry.read(name) for name in os.listdir(folder) if name != "new")

    def write(self, queue: str, entry: Entry, body: bytes) -> None:
        """Puts a message in place whole, or not at all; under the lock."""
        folder = self._of(queue)
        folder.mkdir(exist_ok=True)
        new = folder / "new"
        new.write_bytes(body)
        new.rename(folder / entry.name)

    def read(self, queue: str, entry: Entry) -> bytes:
        return (self._of(queue) / entry.name).read_bytes()

    def rename(self, queue: str, old: Entry, new: Entry) -> None:
        folder = self._of(queue)
        (folder / old.name).rename(folder / new.name)

    def remove(self, queue: str, entry: Entry) -> None:
        (self._of(queue) / entry.name).unlink()

    def next_number(self) -> int:
        """Numbers messages in the order of their sending, for all processes; under the lock."""
        file = self.folder / "number"
        number = int(file.read_text()) + 1 if file.exists() else 1
        file.write_text(str(number))
        return number

    def _of(self, queue: str) -> Path:
        """A queue may have any name, a folder may not."""
        return self.folder / sha256(queue.encode()).hexdigest()

    def _now(self) -> int:
        """The wall clock, which other processes see too; when it is set back, time still goes on."""
        wall, monotonic = self.clock.wall(), self.clock.monotonic()
        self._ahead = max(self._ahead, wall - monotonic)
        return round((monotonic + self._ahead) * 1e6)
