"""One queue in memory, in two ordered sets: waiting by moment, leased by the end of the lease.

Beside them are the messages that are parked behind the first of their group (`groups`).

Almost every message is due when it is sent and is served in that order: those stand in a deque, the
few that are delayed or put back in a heap. An entry is in one place at a time; it leaves by being
popped, or is marked `gone` and skipped when its turn comes.
"""

from collections import deque
from heapq import heapify, heappop, heappush
from itertools import takewhile

from msgspec import Struct, structs

from packhorse.driver.groups import Groups
from packhorse.driver.message import Message, Rewriting

_Heap = list[tuple[float, int, int, "Entry"]]


class Entry(Struct, eq=False, gc=False):
    """One message on the broker: where it stands, and under which lease (token and end).

    Times are moments of the broker's clock. `key` names it on the broker. `sequence` is its place among
    those of one moment, `sent` its place in the order of sending, which a retry does not change. A dead
    one has a record, and `moment` is when it died.
    """

    key: int
    message: Message
    moment: float
    sequence: int
    sent: int
    deliveries: int = 0
    token: bytes = b""
    end: float = 0.0
    worker: str = ""
    cancelled: bool = False
    superseded: bool = False
    parked: bool = False
    record: bytes | None = None
    gone: bool = False

    def rewrite(self, change: Rewriting) -> bool:
        """Takes another body, if nobody holds it and its own is still the one that was read."""
        if self.token or self.message.body != change.old:
            return False
        self.message = structs.replace(self.message, body=change.new)
        if self.record is not None and change.record is not None:
            self.record = change.record
        return True


def moment_of(entry: Entry) -> float:
    """When a message falls due, or its lease ends."""
    return entry.end if entry.token else entry.moment


class Line:
    """The live messages of one queue; not thread-safe.

    Ends of leases must be given in rising order: `leased` is sorted by them, because a dict keeps
    the order of insertion.
    """

    def __init__(self) -> None:
        self.groups = Groups()
        self.leased: dict[bytes, Entry] = {}
        self._ready: deque[Entry] = deque()
        self._later: _Heap = []
        self._again: _Heap = []
        self._ended: dict[bytes, Entry] = {}
        self._gone = 0

    def append(self, entry: Entry) -> None:
        """Lets a message wait behind all others that are due: its place must be the last so far."""
        self._ready.append(entry)

    def insert(self, entry: Entry) -> None:
        """Lets a message wait at its place, wherever that is."""
        heappush(self._later, (entry.moment, entry.sequence, id(entry), entry))

    def join(self, entry: Entry) -> None:
        """Lets a message wait at its place, or parks it behind the head of its group."""
        group = entry.message.group
        if group is None or self.groups.join(group, entry):
            self.insert(entry)

    def leave(self, entry: Entry) -> None:
        """Lets the next of a group come, if the message that is gone was the head of one."""
        group = entry.message.group
        if group is None or entry.parked:
            return
        if (successor := self.groups.succeed(group)) is not None:
            self.insert(successor)

    def insert_first(self, entry: Entry) -> None:
        """Lets a message wait before all that were not taken yet, as one whose lease ended."""
        heappush(self._again, (entry.moment, entry.sequence, id(entry), entry))

    def end_leases(self, now: float) -> None:
        """Puts what has lost its lease first in line; a token is good until somebody takes it."""
        for entry in list(takewhile(lambda entry: entry.end <= now, self.leased.values())):
            del self.leased[entry.token]
            self._ended[entry.token] = entry
            self.insert_first(entry)

    def pop(self, now: float) -> Entry | None:
        """Takes the message out that is next, None if none is due."""
        ready, later, again = self._ready, self._later, self._again
        while True:
            if again:
                entry = heappop(again)[3]
                if not entry.gone:
                    self._ended.pop(entry.token, None)
            elif later and later[0][0] <= now and (not ready or _before(later[0], ready[0])):
                entry = heappop(later)[3]
            elif ready:
                entry = ready.popleft()
            else:
                return None
            if not entry.gone:
                return entry
            self._gone -= 1

    def lease(self, entry: Entry, token: bytes, end: float, worker: str) -> None:
        """Leases a message that was taken out, and counts the delivery."""
        entry.token, entry.end, entry.worker = token, end, worker
        entry.deliveries += 1
        self.leased[token] = entry

    def holder(self, token: bytes) -> Entry | None:
        """The message that this token holds, also after the end of its lease."""
        return self.leased.get(token) or self._ended.get(token)

    def holders(self) -> list[Entry]:
        """All messages that a token holds."""
        return [*self.leased.values(), *self._ended.values()]

    def remove(self, entry: Entry) -> None:
        """Takes a message out, wherever it stands; the object must not be put back."""
        if entry.parked:
            self.groups.remove(entry)
        elif not entry.token or self.leased.pop(entry.token, None) is None:
            self._ended.pop(entry.token, None)
            entry.gone = True
            self._gone += 1
            if self._gone > 100 and self._gone > len(self):
                self._sweep()

    def next_moment(self) -> float | None:
        """When the next message falls due or the next lease ends, one that is over included."""
        moments = [entry.end for entry in _first(self.leased)]
        moments += [entry.end for entry in _first(self._ended)]
        while self._later and self._later[0][3].gone:
            heappop(self._later)
            self._gone -= 1
        if self._later:
            moments.append(self._later[0][0])
        return min(moments, default=None)

    def delayed(self, now: float) -> int:
        """How many messages fall due later."""
        return sum(1 for item in self._later if item[0] > now and not item[3].gone)

    def waiting(self) -> int:
        """How many messages wait, due now or later."""
        standing = len(self._ready) + len(self._later) + len(self._again)
        return standing - len(self._ended) - self._gone

    def reserved(self) -> int:
        """How many messages a token holds."""
        return len(self.leased) + len(self._ended)

    def __len__(self) -> int:
        return self.waiting() + self.reserved()

    def _sweep(self) -> None:
        self._ready = deque(entry for entry in self._ready if not entry.gone)
        self._later = [item for item in self._later if not item[3].gone]
        self._again = [item for item in self._again if not item[3].gone]
        heapify(self._later)
        heapify(self._again)
        self._gone = 0


def _before(item: tuple[float, int, int, Entry], entry: Entry) -> bool:
    return item[:2] < (entry.moment, entry.sequence)


def _first(entries: dict[bytes, Entry]) -> list[Entry]:
    return [next(iter(entries.values()))] if entries else []
