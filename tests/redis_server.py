"""Private Redis servers for tests: each on a free port, ended with its test or session."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from packhorse.testing import eventually


class RedisServer:
    """A `redis-server` of this machine that belongs to one test or session."""

    def __init__(self, folder: Path, *settings: str) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.fail(
                "there is no redis-server: run `python scripts/servers.py`, which installs it"
            )
        self.port = _free_port()
        self.url = f"redis://localhost:{self.port}"
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1"]
        self._command += ["--dir", str(folder), "--save", "", *settings]
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        eventually(lambda: self.ask("PING") == b"+PONG", within=10)

    def stop(self) -> None:
        """Kills it; what it did not write to its folder is gone."""
        self.process.kill()
        self.process.wait()

    def emptied(self) -> str:
        """Its URL, once there is nothing left on it."""
        assert self.ask("FLUSHALL") == b"+OK"
        return self.url

    @contextmanager
    def watched(self) -> Iterator[list[str]]:
        """The commands that clients send meanwhile, not those of scripts; complete at the end."""
        commands: list[str] = []
        with (
            socket.create_connection(("127.0.0.1", self.port), 5) as sock,
            sock.makefile("rb") as file,
        ):
            sock.sendall(b"MONITOR\r\n")
            assert file.readline() == b"+OK\r\n"
            yield commands
            self.ask("ECHO", "the-end")
            while "the-end" not in (line := file.readline().decode()):
                if " lua] " not in line:
                    commands.append(line.strip())

    def info(self, section: str) -> list[str]:
        """The lines of one section of what it tells of itself."""
        with (
            socket.create_connection(("127.0.0.1", self.port), 5) as sock,
            sock.makefile("rb") as file,
        ):
            sock.sendall(f"INFO {section}\r\n".encode())
            return file.read(int(file.readline()[1:])).decode().splitlines()

    def ask(self, *command: str) -> bytes | None:
        """The first line of what it answers; None if it does not."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
                sock.sendall((" ".join(command) + "\r\n").encode())
                return sock.makefile("rb").readline().strip()
        except OSError:
            return None


def _free_port() -> int:
    """One below 55,536: a node of a Cluster uses the port 10,000 above its own as well."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            port = sock.getsockname()[1]
        assert isinstance(port, int)
        if port < 55_536:
            return port


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that keeps nothing on disk, for all tests of a folder."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()
