"""Waiting for a job on a connection that owns none, and being woken.

A wait that is cut off by closing its connection could hand back a job that was just given, and that
would look like a loss. So the connection watches a tube of its own beside the queues, and is woken by
a job in there: whatever comes first is the answer, and nothing is ever thrown away.
"""

import math
import select
import socket
from collections.abc import Iterable
from contextlib import suppress
from uuid import uuid4

from packhorse_beanstalkd.pool import Pool
from packhorse_beanstalkd.wire import Reply, Wire


class Bell:
    """Rung by any thread; whoever waits hears it, or whoever waits next."""

    def __init__(self) -> None:
        self.rung = False
        self._ear, self._hand = socket.socketpair()
        self._ear.setblocking(False)
        self._hand.setblocking(False)

    def ring(self) -> None:
        self.rung = True
        with suppress(OSError):  # full is loud enough, and a closed one wakes nobody
            self._hand.send(b".")

    def silence(self) -> None:
        with suppress(OSError):
            while self._ear.recv(1024):
                pass
        self.rung = False

    def wait(self, seconds: float, beside: socket.socket | None = None) -> bool:
        """Waits for the bell or for something to read `beside`; whether the latter is there."""
        if self._ear.fileno() < 0:  # whoever waited was closed
            return False
        poll = select.poll()
        poll.register(self._ear, select.POLLIN)
        if beside is not None:
            poll.register(beside, select.POLLIN)
        heard = [fd for fd, _ in poll.poll(max(0.0, seconds) * 1000)]
        return beside is not None and beside.fileno() in heard

    def close(self) -> None:
        self._ear.close()
        self._hand.close()


class Waiter:
    """Waits for one consumer."""

    def __init__(self, pool: Pool, bell: Bell) -> None:
        self._pool = pool
        self._bell = bell
        self._tube = b"packhorse-wake-" + uuid4().hex.encode()

    def wait(self, wire: Wire, tubes: Iterable[bytes], seconds: float) -> Reply | None:
        """The first job that comes to one of the tubes within so many seconds."""
        whole = max(1, math.ceil(seconds))
        wire.flight(wire.watch([*tubes, self._tube]))
        # Alone: what is read ahead into a buffer would not be heard.
        wire.write([b"reserve-with-timeout %d\r\n" % whole])
        # The server ends a wait of whole seconds itself.
        patience = seconds + 1 if whole == seconds else seconds
        if self._bell.wait(patience, wire.socket):
            reply = wire.read()
            return reply if reply.word == b"RESERVED" else None
        try:
            return self._end(wire)
        except BaseException:
            wire.close()  # its wait goes on, and what that brings would be taken for another answer
            raise

    def _end(self, wire: Wire) -> Reply | None:
        """Ends the wait; a job that was faster is its answer all the same."""
        with self._pool.wire() as other:
            (reply,) = other.flight([*other.use(self._tube), b"put 0 0 60 0\r\n\r\n"])[-1:]
            if reply.word != b"INSERTED":  # a server that is draining takes no job, not even this
                wire.close()
                return None
            waker = reply.values[0]
            reply = wire.read()
            came = reply.word == b"RESERVED" and reply.values[0] != waker
            deleting = wire if reply.word == b"RESERVED" and not came else other
            deleting.flight([b"delete %b\r\n" % waker])
        return reply if came else None
