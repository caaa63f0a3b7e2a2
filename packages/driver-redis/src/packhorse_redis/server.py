"""A server: connections that are kept and used again, and errors in packhorse's words."""

import random
import time
from collections import deque
from collections.abc import Sequence

from hiredis import ReplyError

from packhorse.plugin import ConfigError, ConnectionLost, DriverSetup
from packhorse_redis.address import Address
from packhorse_redis.connection import Arg, Connection, Reply, packed
from packhorse_redis.scripts import Script
from packhorse_redis.slot import Head, Slot

_FRESH = 1.0
"""Seconds for which a connection that was used is believed to be there still."""

_PAUSE = 0.1
"""Seconds at most before a connection is made anew: many lose theirs at once."""

_AWAY = {"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"}
_AWAY |= {"BUSY", "NOREPLICAS", "MISCONF", "OOM"}
"""Refusals that pass: the server starts, is no longer the one that writes, or has no room."""


class Server:
    """Runs scripts and commands; thread-safe. Raises `ConnectionLost` and `ConfigError` alone."""

    def __init__(self, address: Address, setup: DriverSetup) -> None:
        self.address = address
        self._name = setup.connection
        self._start()

    def _start(self) -> None:
        self._idle: deque[Connection] = deque()
        self._closed = False
        self._broken = -_PAUSE

    def run(
        self,
        script: Script,
        slot: Slot,
        queues: Sequence[str] = (),
        args: Sequence[Arg] = (),
        again: bool = False,
    ) -> Reply:
        """Runs a script; with `again` it is harmless, and asked once more if a reply is lost."""
        return self.call(slot.head(script, queues), args, again, script)

    def call(
        self,
        head: Head,
        args: Sequence[Arg] = (),
        again: bool = False,
        script: Script | None = None,
    ) -> Reply:
        """Sends one command, in one round trip; a script that the server does not know in two."""
        reply = self._ask(packed((*head, *args)), again)
        if isinstance(reply, ReplyError):
            if script is not None and str(reply).startswith("NOSCRIPT"):
                reply = self._ask(packed((b"EVAL", script.text, *head[2:], *args)), again)
            if isinstance(reply, ReplyError):
                raise self._refused(reply)
        return reply

    def connect(self) -> Connection:
        """Opens a connection, for whoever wants one to itself."""
        if self._closed:
            raise ConnectionLost(f"connection {self._name!r} is used after it was closed")
        for last in (False, True):
            if time.monotonic() < self._broken + _PAUSE:
                time.sleep(random.uniform(0, _PAUSE))
            try:
                connection = Connection(self.address)
            except OSError as error:
                self._lose()
                if last:
                    raise self._lost("cannot be reached", error) from error
            else:
                if connection.refusal is not None:
                    connection.close()
                    raise self._refused(connection.refusal)
                return connection
        raise AssertionError  # the loop ends by returning or raising

    def after_fork(self) -> None:
        """In a forked child: the parent's connections are closed here, not ended there."""
        for connection in self._idle:
            connection.close()
        self._start()

    def close(self) -> None:
        """Closes what is idle; what is at work is closed when it is given back."""
        self._closed = True
        self._drop_idle()

    def _ask(self, command: bytes, again: bool) -> Reply:
        while True:
            connection = self._take()
            try:
                reply = connection.ask(command)
            except OSError as error:
                connection.close()
                self._lose()
                if not again:
                    raise self._lost("did not answer", error) from error
                again = False
            except BaseException:
                connection.close()  # a reply may be on its way
                raise
            else:
                self._give_back(connection)
                return reply

    def _take(self) -> Connection:
        """A connection that is there; the one that was used last first, so that others may age."""
        while self._idle and not self._closed:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if time.monotonic() < connection.used + _FRESH or not connection.pending():
                return connection
            connection.close()
        return self.connect()

    def _give_back(self, connection: Connection) -> None:
        connection.used = time.monotonic()
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)

    def _lose(self) -> None:
        """The others of a connection that broke are as good as broken."""
        self._broken = time.monotonic()
        self._drop_idle()

    def _drop_idle(self) -> None:
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:
                return

    def _lost(self, how: str, error: OSError) -> ConnectionLost:
        return ConnectionLost(
            f"connection {self._name!r}: Redis at {self.address.title} {how}: {error}; "
            "check that it runs and that its address is right"
        )

    def _refused(self, error: ReplyError) -> ConfigError | ConnectionLost:
        """What a refusal means: it passes, or somebody has to change something."""
        text = str(error)
        where = f"connection {self._name!r}: Redis at {self.address.title}"
        passes = _AWAY.intersection(text.replace("-", " ").split())
        if passes or "max number of clients" in text:
            self._lose()
            passing = ConnectionLost(f"{where} cannot serve now: {text}")
            passing.__cause__ = error
            return passing
        advice = (
            "check the user's rights, the database's number and that Redis is 6.2 or newer"
            if not text.startswith(("MOVED", "ASK"))
            else "it is a node of a Cluster, which is not spoken yet: name a server that stands alone"
        )
        failed = ConfigError(f"{where} refused: {text}; {advice}")
        failed.__cause__ = error
        return failed
