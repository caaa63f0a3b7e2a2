"""Connections that own no job, lent to whoever sends or asks, each to one at a time."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from packhorse_beanstalkd.wire import Address, Wire

KEPT = 8
"""Connections that are kept for the next one; more are opened where more threads send at once."""


class Pool:
    """Thread-safe."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: deque[Wire] = deque()
        self._closed = False

    @contextmanager
    def wire(self) -> Iterator[Wire]:
        """A connection for this block. Raises `ConnectionLost` if none can be had."""
        wire = self._idle_one() or self.connect()
        try:
            yield wire
        except BaseException:
            wire.close()  # an answer that nobody has read would be taken for the next one's
            raise
        if self._closed or len(self._idle) >= KEPT:
            wire.close()
        else:
            self._idle.append(wire)

    def _idle_one(self) -> Wire | None:
        """The last one that was given back and that the server has not ended since."""
        while True:
            try:
                wire = self._idle.pop()
            except IndexError:
                return None
            if not wire.has_ended():
                return wire

    def connect(self) -> Wire:
        """A new connection, for whoever wants it for good."""
        if self._closed:
            raise self._address.lost("the driver is closed")
        return Wire(self._address)

    def after_fork(self) -> None:
        """Forgets the parent's connections without ending them."""
        self._idle = deque()

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close()
