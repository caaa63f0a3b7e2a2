"""The fault proxy passes on what is said, and does to connections what it is told."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from packhorse.testing import FaultProxy, Running, eventually


class Echo(threading.Thread):
    """A server that says back what it hears, and notes it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.heard: list[bytes] = []
        self.ended = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            Running(self._answer, connection)

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(1024):
                    self.heard.append(data)
                    connection.sendall(data)
            except OSError:
                pass
            self.ended += 1

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.join()


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", echo.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        assert say(client, b"hello") == b"hello"
        yield client


def say(client: socket.socket, data: bytes) -> bytes:
    """Says something and gives the answer, b"" where the connection is over."""
    try:
        client.sendall(data)
        return client.recv(1024)
    except ConnectionError:
        return b""


def test_what_is_said_arrives(client: socket.socket, proxy: FaultProxy) -> None:
    assert say(client, b"again") == b"again"
    assert proxy.connections == 1


def test_what_is_delayed_arrives_later(client: socket.socket, proxy: FaultProxy) -> None:
    proxy.delay(0.05)
    started = time.monotonic()
    assert say(client, b"slow") == b"slow"
    assert time.monotonic() - started >= 0.1  # there, and back
    proxy.delay(0)
    assert say(client, b"fast") == b"fast"


def test_what_is_stalled_arrives_when_it_is_resumed(
    client: socket.socket, proxy: FaultProxy, echo: Echo
) -> None:
    proxy.stall()
    running = Running(say, client, b"later")
    time.sleep(0.05)
    assert running.is_alive()
    assert echo.heard == [b"hello"]
    proxy.resume()
    assert running.answer() == b"later"


def test_a_cut_ends_both_sides(client: socket.socket, proxy: FaultProxy, echo: Echo) -> None:
    assert proxy.cut() == 1
    assert say(client, b"x") == b""
    eventually(lambda: echo.ended == 1)
    assert proxy.connections == 0


def test_a_half_closed_connection_is_over_for_the_client_alone(
    client: socket.socket, proxy: FaultProxy, echo: Echo
) -> None:
    assert proxy.half_close() == 1
    assert client.recv(1024) == b""
    client.sendall(b"still")
    eventually(lambda: echo.heard == [b"hello", b"still"])
    assert echo.ended == 0
    client.close()
    eventually(lambda: echo.ended == 1)


def test_a_reply_is_lost_after_the_effect(
    client: socket.socket, proxy: FaultProxy, echo: Echo
) -> None:
    proxy.lose_replies()
    assert say(client, b"effect") == b""
    assert echo.heard[-1] == b"effect"
    proxy.resume()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as another:
        assert say(another, b"well") == b"well"


def test_new_connections_are_refused(client: socket.socket, proxy: FaultProxy) -> None:
    proxy.refuse()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as another:
        assert say(another, b"x") == b""
    assert say(client, b"old ones are not") == b"old ones are not"


def test_a_server_that_is_away_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with (
        FaultProxy("127.0.0.1", port) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client,
    ):
        assert say(client, b"x") == b""
