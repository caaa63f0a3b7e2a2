"""Private beanstalkd servers with a binlog: a test may kill them, start them again, and move their time."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from packhorse.testing import eventually
from scripts.servers import libfaketime


class Server:
    """A beanstalkd on a port of its own; what it holds is in `folder` and outlives it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"beanstalkd://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        binlog = ["-b", str(self._folder), "-s", "1000000"]
        self._process = subprocess.Popen(
            ["beanstalkd", "-l", "127.0.0.1", "-p", str(self.port), *binlog, *self._options],
            env=self._environment(),
        )
        eventually(lambda: self.ask(b"list-tube-used"), every=0.002)

    def stop(self) -> None:
        """Kills it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask(self, command: bytes) -> bytes:
        """The first line of the answer to a command, b"" if the server is not there."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(command + b"\r\n")
                with connection.makefile("rb") as reader:
                    return reader.readline()
        except ConnectionRefusedError:
            return b""

    def stats(self) -> dict[str, int]:
        """What it counts."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"stats\r\nquit\r\n")
            with connection.makefile("r") as reader:
                pairs = (line.strip().partition(": ")[::2] for line in reader)
                return {name: int(value) for name, value in pairs if value.isdigit()}

    def _environment(self) -> dict[str, str]:
        return dict(os.environ)


class TimedServer(Server):
    """A server whose time goes as its machine's does, and jumps ahead when a test says so."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder, *options)
        self._ahead = folder.parent / f"{folder.name}-ahead"
        self._ahead.write_text("+0")
        self._seconds = 0.0

    def advance(self, seconds: float) -> None:
        """Lets `seconds` pass; when this returns the server has seen that they have."""
        self._seconds += seconds
        fresh = self._ahead.with_suffix(".new")
        fresh.write_text(f"+{self._seconds:.6f}")
        fresh.replace(self._ahead)
        # It looks at the clock after each command, before the next.
        assert self.ask(b"list-tube-used")
        assert self.ask(b"list-tube-used")

    def wall(self) -> float:
        """Seconds since 1970; with `monotonic` this makes a server the clock of a driver."""
        return time.time() + self._seconds

    def monotonic(self) -> float:
        return time.monotonic() + self._seconds

    def _environment(self) -> dict[str, str]:
        library = libfaketime()
        assert library, "libfaketime is missing: python scripts/servers.py brings it"
        return {
            **os.environ,
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self._ahead),
            "FAKETIME_NO_CACHE": "1",
        }


S = TypeVar("S", bound=Server)


@contextmanager
def serving(server: S) -> Iterator[S]:
    """Runs a server for this block."""
    server.start()
    try:
        yield server
    finally:
        server.stop()
