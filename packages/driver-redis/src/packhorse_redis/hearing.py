"""Hears that there is something to do: a connection that only listens, and the wait on this side of it.

A wake-up is a hint: with all of them lost, work is found when the wait is over.
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from select import POLLIN, poll

from hiredis import ReplyError

from packhorse.plugin import ConfigError
from packhorse_redis.connection import Connection, packed
from packhorse_redis.server import Server
from packhorse_redis.slot import Slot

_STALE = 1.0
"""Seconds after which what was told to a worker that never waits is thrown away."""


class Ear:
    """Listens for one consumer. One thread listens and waits; `wake` may be called from any."""

    def __init__(self, server: Server, slot: Slot) -> None:
        self._server = server
        self._slot = slot
        self._connection: Connection | None = None
        self._heard: set[str] = set()
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._cleared = time.monotonic()
        self._closed = False

    def hears(self, queues: Sequence[str]) -> bool:
        """Whether it listens on all of these; if not, `listen` first."""
        return self._connection is not None and self._heard.issuperset(queues)

    def listen(self, queues: Sequence[str]) -> None:
        """Listens on these from now on; raises `ConnectionLost`."""
        if self._connection is None:
            self._connection = self._server.connect()
        new = [queue for queue in queues if queue not in self._heard]
        command = packed((b"SUBSCRIBE", *map(self._slot.channel, new)))
        try:
            reply = self._connection.ask(command)
            told = 0
            while told < len(new):  # hints for other queues may come in between
                if isinstance(reply, ReplyError):
                    self._hang_up()
                    raise ConfigError(f"this user may not subscribe: {reply}")
                told += isinstance(reply, list) and reply[0] == b"subscribe"
                if told < len(new):
                    reply = self._connection.read()
        except OSError:
            self._hang_up()  # the next request will tell what is the matter
        else:
            self._heard.update(new)

    def wait(self, seconds: float) -> bool:
        """Waits until something is heard or `wake` is called, at most so long; whether it was so."""
        poller = poll()
        poller.register(self._read, POLLIN)
        if self._connection is not None:
            poller.register(self._connection, POLLIN)
        told = self._connection is not None and self._connection.pending()
        told = told or bool(poller.poll(max(0.0, seconds) * 1000))
        self._clear()
        return told

    def clear_now_and_then(self) -> None:
        """Throws away what was told meanwhile, so that it does not pile up."""
        if self._connection is not None and time.monotonic() > self._cleared + _STALE:
            self._clear()

    def wake(self) -> None:
        """Ends the wait of another thread."""
        if not self._closed:
            with suppress(BlockingIOError):  # it is full of wake-ups
                os.write(self._write, b"w")

    def close(self) -> None:
        """Ends it, for the thread that listens."""
        if not self._closed:
            self._closed = True
            os.close(self._read)
            os.close(self._write)
        self._hang_up()

    def _clear(self) -> None:
        self._cleared = time.monotonic()
        with suppress(BlockingIOError):
            os.read(self._read, 4096)
        try:
            while self._connection is not None and self._connection.pending():
                self._connection.read()
        except OSError:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._heard.clear()
