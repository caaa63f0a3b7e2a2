"""What a consumer holds: which job on which of its connections, under which token, until when.

beanstalkd knows who holds a job by its connection alone, and while a connection waits for a job every
other command on it is held up. So a job is settled on the connection that reserved it, only one that
owns nothing ever waits, and reservations are numbered here: a token is such a number, and one that is
no longer current settles nothing.
"""

import os
import threading
from collections.abc import Iterable, Sequence
from itertools import count

from msgspec import Struct

from packhorse_beanstalkd.wire import Wire

SLACK = 1.0
"""Seconds after which a lease that is over for us is over for the server, too."""


class Held(Struct, eq=False):
    """A job under lease: on which connection, for how many seconds, and until when by our clock."""

    wire: Wire
    job: int
    token: bytes
    ttr: int
    deadline: float


class Lanes:
    """A consumer's connections and the jobs on them. Thread-safe."""

    def __init__(self) -> None:
        self.wires: list[Wire] = []
        self._lock = threading.Lock()
        self._by_token: dict[bytes, Held] = {}
        self._by_job: dict[int, Held] = {}
        # A random start keeps the tokens of one consumer from meaning anything to another.
        self._numbers = count(int.from_bytes(os.urandom(7), "big"))

    def hold(self, wire: Wire, jobs: Sequence[tuple[int, int]], asked: float) -> list[Held]:
        """Notes jobs (numbers and leases) that were asked for at that moment; older tokens end."""
        fresh = []
        with self._lock:
            for job, ttr in jobs:
                token = next(self._numbers).to_bytes(8, "big")
                held = Held(wire, job, token, ttr, asked + ttr)
                self._end(self._by_job.get(job))
                self._by_job[job] = self._by_token[token] = held
                fresh.append(held)
        return fresh

    def held(self, token: bytes) -> Held | None:
        """What a token holds, None if it is no longer current: a broken connection ends all of its own."""
        held = self._by_token.get(token)
        if held is not None and held.wire.broken:
            self.end([held])
            return None
        return held

    def end(self, ended: Iterable[Held]) -> None:
        """Ends tokens: their jobs are settled, or somebody else's."""
        with self._lock:
            for held in ended:
                self._end(held)

    def whole(self) -> list[Wire]:
        """The connections that are not broken."""
        self.wires = [wire for wire in self.wires if not wire.broken]
        return self.wires

    def owners(self) -> dict[Wire, float]:
        """The connections that own jobs, each with the moment at which its last lease ends."""
        ends: dict[Wire, float] = {}
        with self._lock:
            for held in self._by_token.values():
                ends[held.wire] = max(held.deadline, ends.get(held.wire, held.deadline))
        return ends

    def free(self, now: float) -> Wire | None:
        """A connection that owns nothing; tokens of leases that ended on it long since end, too."""
        owners = self.owners()
        for wire in self.whole():
            if wire not in owners or owners[wire] + SLACK < now:
                with self._lock:
                    over = [held for held in self._by_token.values() if held.wire is wire]
                self.end(over)
                return wire
        return None

    def _end(self, held: Held | None) -> None:
        if held is None or self._by_token.pop(held.token, None) is None:
            return
        if self._by_job.get(held.job) is held:
            del self._by_job[held.job]
