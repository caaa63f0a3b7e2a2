"""Tells whoever watches this process whether its workers are in contact with their broker.

A file is touched, and a port answers, for as long as some worker's broker has answered lately.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import msgspec
from msgspec import Struct

from packhorse.errors import ConfigError

_log = logging.getLogger("packhorse.worker")

EVERY = 2.0
"""Seconds between two touches of the file."""


class ProcessHealth(Struct, frozen=True):
    """A worker process: whether its broker has answered lately, and how many jobs it runs."""

    name: str
    ready: bool
    running: int


Look = Callable[[], Sequence[ProcessHealth]]


class Health:
    """Answers while its block lasts; `look` is called in threads of its own.

    Raises `ConfigError` if the port cannot be had or the file not be written.
    """

    def __init__(self, look: Look, file: str | None, port: int | None) -> None:
        self._look = look
        self._file = file
        self._port = port
        self._server: ThreadingHTTPServer | None = None
        self._ending = threading.Event()

    def __enter__(self) -> Self:
        if self._file is not None:
            _refuse_unwritable(self._file)
        if self._port is not None:
            try:
                self._server = _Server(("", self._port), _answering(self._look))
            except OSError as error:
                raise ConfigError(f"--health-port {self._port} cannot be had: {error}") from error
            _start(self._server.serve_forever)
        if self._file is not None:
            _start(partial(self._touch, self._file))
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _touch(self, file: str) -> None:
        troubled = False
        while not self._ending.is_set():
            try:
                if any(one.ready for one in self._look()):
                    with open(file, "a"):
                        os.utime(file)
                troubled = False
            except OSError as error:  # a disk that is full may be emptied
                if not troubled:
                    _log.warning("--health-file %s grows old: %s", file, error)
                troubled = True
            self._ending.wait(EVERY)


def _refuse_unwritable(file: str) -> None:
    place = file if os.path.exists(file) else os.path.dirname(file) or "."
    if os.path.isdir(file) or not os.access(place, os.W_OK):
        raise ConfigError(f"--health-file {file}: such a file cannot be written")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Who asked has left without the answer: that is theirs to know."""


def _start(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="packhorse-health", daemon=True).start()


def _answering(look: Look) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        timeout = 5.0  # seconds that a question may take

        def do_GET(self) -> None:
            processes = look()
            ready = any(one.ready for one in processes)
            body = msgspec.json.encode({"ready": ready, "processes": processes})
            self.send_response(200 if ready else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A question each few seconds is not worth a line."""

    return Answer
