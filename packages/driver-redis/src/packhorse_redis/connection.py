"""One connection to a server: a socket, and hiredis to write commands and read replies."""

import socket
from collections.abc import Sequence
from select import POLLIN, poll
from typing import cast

from hiredis import ProtocolError, Reader, ReplyError, pack_command

from packhorse_redis.address import Address

Arg = bytes | str | int | float
Reply = None | int | bytes | ReplyError | list["Reply"]

_UNFINISHED = object()
_CHUNK = 256 * 1024


def packed(command: Sequence[Arg]) -> bytes:
    """A command as it is sent."""
    # hiredis says that it takes tuples of one.
    return cast(bytes, pack_command(tuple(command)))  # type: ignore[arg-type]


class Connection:
    """Asks and is answered, one thread at a time; raises `OSError` when the server cannot be reached.

    A refusal is answered, not raised: a `ReplyError`.
    """

    def __init__(self, address: Address) -> None:
        self._reader = Reader(notEnoughData=_UNFINISHED)
        self._sock = _connect(address)
        self.used = 0.0
        """When it was used last, by whoever keeps it."""
        self.refusal: ReplyError | None = None
        """Why the server did not let it in."""
        try:
            self._introduce(address)
            self._sock.settimeout(address.timeout)
        except BaseException:
            self.close()
            raise

    def ask(self, command: bytes) -> Reply:
        """Sends one packed command, or the beginning of what is read on, and waits for its reply."""
        self._sock.sendall(command)
        return self.read()

    def read(self) -> Reply:
        """Waits for the next reply."""
        reader = self._reader
        try:
            while (reply := reader.gets()) is _UNFINISHED:
                received = self._sock.recv(_CHUNK)
                if not received:
                    raise ConnectionResetError("the server closed the connection")
                reader.feed(received)
        except ProtocolError as error:
            raise ConnectionResetError(f"what the server sent is no reply: {error}") from error
        return reply  # type: ignore[no-any-return]

    def fileno(self) -> int:
        return self._sock.fileno()

    def pending(self) -> bool:
        """Whether there is something to read at once, the end of the connection included."""
        tls_pending = getattr(self._sock, "pending", None)
        if self._reader.has_data() or (tls_pending is not None and tls_pending()):
            return True
        poller = poll()
        poller.register(self._sock, POLLIN)
        return bool(poller.poll(0))

    def close(self) -> None:
        self._sock.close()

    def _introduce(self, address: Address) -> None:
        """Says who it is, and which database it wants; one round trip."""
        commands: list[tuple[Arg, ...]] = []
        if address.password is not None:
            who = (address.username,) if address.username else ()
            commands.append(("AUTH", *who, address.password))
        if address.database:
            commands.append(("SELECT", address.database))
        if not commands:
            return
        self._sock.sendall(b"".join(map(packed, commands)))
        for reply in [self.read() for _ in commands]:
            if isinstance(reply, ReplyError) and self.refusal is None:
                self.refusal = reply


def _connect(address: Address) -> socket.socket:
    if address.path:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(address.connect_timeout)
            sock.connect(address.path)
        except BaseException:
            sock.close()
            raise
        return sock
    sock = socket.create_connection((address.host, address.port), address.connect_timeout)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A server that is gone without a word is noticed, also by who only listens.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        if address.tls is not None:
            sock = address.tls.wrap_socket(sock, server_hostname=address.host)
    except BaseException:
        sock.close()
        raise
    return sock
