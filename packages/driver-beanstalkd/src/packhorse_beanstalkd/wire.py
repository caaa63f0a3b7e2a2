"""One connection to beanstalkd: many commands in one write, and their replies in one go.

The socket is made here and lent to `greenstalk.Client`, which sends one command at a time and waits
for its reply: that serves for what is rare. What is frequent is written to the same socket here, a
flight of commands at once. Either reads whole replies, so neither keeps bytes of the other.
"""

import select
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

import greenstalk

from packhorse.plugin import ConnectionLost, DriverSetup, Url

T = TypeVar("T")

PORT = 11300
FLIGHT = 256
"""Commands that are under way at once. Of each the request or the reply is short, and so many short
ones fit into the buffers of any socket: neither side can be stuck writing to the other."""

_WITH_BODY = (b"RESERVED", b"FOUND", b"OK")


class Reply(NamedTuple):
    """One reply: its first word, what follows on that line, and the body if there is one."""

    word: bytes
    values: Sequence[bytes]
    body: bytes


def numbers(body: bytes) -> dict[bytes, int]:
    """The numbers of an answer in YAML, by their names."""
    pairs = (line.partition(b": ")[::2] for line in body.splitlines())
    return {name: int(value) for name, value in pairs if value.isdigit()}


class Address(NamedTuple):
    """Where the server is, and how long it may be silent (seconds)."""

    connection: str
    host: str
    port: int
    timeout: float

    @classmethod
    def of(cls, url: Url, setup: DriverSetup, timeout: float) -> "Address":
        return cls(setup.connection, url.host or "localhost", url.port or PORT, timeout)

    def lost(self, why: object) -> ConnectionLost:
        """The error for a server that cannot be reached, or does not do its part."""
        return ConnectionLost(
            f"connection {self.connection!r}: beanstalkd at {self.host}:{self.port}: {why}"
        )


class Wire:
    """A connection, with the tube that it uses and those that it watches.

    Whoever calls holds `lock`. Once anything has gone wrong it is `broken` for good: the server hands
    back at once what was reserved on it.
    """

    def __init__(self, address: Address) -> None:
        self.lock = threading.Lock()
        self.broken = False
        self._address = address
        try:
            self.socket = socket.create_connection(
                (address.host, address.port), timeout=address.timeout
            )
        except OSError as error:
            raise address.lost(error) from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._reader = self.socket.makefile("rb", 64 * 1024)
        self._client = greenstalk.Client(self.socket, encoding=None)
        self._poll = select.poll()
        self._poll.register(self.socket, select.POLLIN)
        self._using = b"default"
        self.watching = {b"default"}

    def flight(self, commands: Sequence[bytes]) -> list[Reply]:
        """Sends commands and gives their replies, in their order."""
        replies: list[Reply] = []
        for start in range(0, len(commands), FLIGHT):
            some = commands[start : start + FLIGHT]
            self.write(some)
            replies += [self.read() for _ in some]
        return replies

    def write(self, commands: Sequence[bytes]) -> None:
        """Sends commands, at most `FLIGHT`; their replies are to be read."""
        try:
            self.socket.sendall(b"".join(commands))
        except OSError as error:
            raise self.fail(error) from error

    def read(self) -> Reply:
        """The next reply."""
        try:
            line = self._reader.readline()
            if not line.endswith(b"\r\n"):
                raise ConnectionError("it closed the connection")
            word, *values = line.split()
            if word not in _WITH_BODY:
                return Reply(word, values, b"")
            size = int(values[-1])
            body = self._reader.read(size + 2)
            if len(body) != size + 2:
                raise ConnectionError("it closed the connection in the midst of a reply")
        except (OSError, ValueError) as error:
            raise self.fail(error) from error
        return Reply(word, values, body[:-2])

    def ask(self, question: Callable[[greenstalk.Client[bytes]], T]) -> T:
        """One command through greenstalk. What the server answers with an error is greenstalk's to raise."""
        try:
            return question(self._client)
        except OSError as error:
            raise self.fail(error) from error

    def use(self, tube: bytes) -> list[bytes]:
        """The commands that make puts go to a tube."""
        if tube == self._using:
            return []
        self._using = tube
        return [b"use %b\r\n" % tube]

    def watch(self, tubes: Iterable[bytes]) -> list[bytes]:
        """The commands that make these tubes the ones that are watched; there must be one."""
        wanted = set(tubes)
        more, less = wanted - self.watching, self.watching - wanted
        self.watching = wanted
        return [b"watch %b\r\n" % tube for tube in more] + [
            b"ignore %b\r\n" % tube for tube in less
        ]

    def has_ended(self) -> bool:
        """Whether the server has ended it while nobody used it; closes it then."""
        if self._poll.poll(0):  # nothing was asked, so this is no answer
            self.close()
        return self.broken

    def fail(self, error: Exception) -> ConnectionLost:
        """Marks the connection as broken, closes it and gives the error to raise."""
        self.close()
        return self._address.lost(error)

    def close(self) -> None:
        """Closes the connection, also under a thread that waits on it."""
        self.broken = True
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self._reader.close()
        self._client.close()
