"""The private servers that contenders are measured on, each on a free port of this machine."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from benchmarks.peers import processes

PERSISTENCE = ("no", "everysec", "always")
"""How often Redis makes its log of changes safe; `no`: it keeps none."""


class Server(Protocol):
    """What the workloads ask of a server; `url` is how contenders reach it."""

    url: str

    def empty(self) -> None:
        """Removes all that is there."""

    def cpu(self) -> float:
        """The seconds of a core that it has used."""

    def memory(self) -> int:
        """The bytes that what is stored takes; 0 if it cannot tell."""

    def requests(self, seconds: float) -> int:
        """Waits so long, and counts what its clients send meanwhile."""


class Redis:
    """A `redis-server` with its defaults but for snapshots, which are off, and the given persistence."""

    def __init__(self, folder: Path, persistence: str) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError("there is no redis-server: `python scripts/servers.py` installs it")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = int(probe.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self._port}/0"
        log = ["--appendonly", "no"]
        if persistence != "no":
            log = ["--appendonly", "yes", "--appendfsync", persistence]
        place = ["--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self.process = subprocess.Popen(
            [program, *place, "--save", "", *log], stdout=subprocess.DEVNULL
        )
        self._await()
        self.version = self._told("server", "redis_version")

    def _await(self) -> None:
        end = time.monotonic() + 10
        while True:
            try:
                return self._connect().close()
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def empty(self) -> None:
        answer = self._ask("FLUSHALL")
        if not answer.startswith("+OK"):
            raise RuntimeError(f"FLUSHALL was refused: {answer}")

    def cpu(self) -> float:
        return processes.cpu([self.process.pid])

    def memory(self) -> int:
        return int(self._told("memory", "used_memory"))

    def requests(self, seconds: float) -> int:
        """What a script does on the server is no request: the server's own counter knows no difference."""
        end, heard = time.monotonic() + seconds, b""
        with self._connect() as connection:
            connection.sendall(b"MONITOR\r\n")
            while (left := end - time.monotonic()) > 0:
                connection.settimeout(left)
                try:
                    heard += connection.recv(65536)
                except TimeoutError:
                    break
        sources = [line.split(b"]")[0] for line in heard.splitlines() if b" [" in line]
        return sum(not source.endswith(b" lua") for source in sources)

    def _told(self, section: str, key: str) -> str:
        lines = self._ask(f"INFO {section}").splitlines()
        return next(line.split(":")[1] for line in lines if line.startswith(f"{key}:"))

    def _ask(self, command: str) -> str:
        with self._connect() as connection:
            connection.sendall(f"{command}\r\nQUIT\r\n".encode())
            return connection.makefile("rb").read().decode()

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), 60)


SERVERS: dict[str, Callable[[Path, str], Redis]] = {"redis": Redis}


@contextmanager
def server(service: str, persistence: str) -> Iterator[Redis]:
    """A server of that kind, ended and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"peers-{service}-") as folder:
        one = SERVERS[service](Path(folder), persistence)
        try:
            yield one
        finally:
            one.process.kill()
            one.process.wait()
