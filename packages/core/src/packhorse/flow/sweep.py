"""Mends batches that nobody will end otherwise: after a crash, or when members have vanished.

A member that is pending but nowhere, twice in a row, will never be counted by a worker: it was
settled by one that died before counting it, or it was cleared. What was about to be counted stands
in the notes of the workers; what stands in none of them is dropped.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from msgspec import Struct

from packhorse.driver.abilities import Cancels, Lists
from packhorse.flow import ledger
from packhorse.flow.census import SOME, Census
from packhorse.flow.ledger import How
from packhorse.flow.tally import Ended, Tally
from packhorse.store.contract import (
    Absent,
    AddMembers,
    Equals,
    Group,
    Put,
    RemoveMembers,
    Value,
)
from packhorse.wire.flow import Cause

if TYPE_CHECKING:
    from packhorse.connection import Connection
    from packhorse.driver.message import Listed

    Found = list[tuple[Connection, Listed]]

EVERY = 30.0
"""Seconds between two sweeps of a worker."""

SWEEPER = "batches:sweeper"
"""Where the store keeps which worker sweeps; another takes over when it has not for three turns."""

NOTES = "batches:notes"
"""Where the store keeps which workers have left notes."""

NOTE_TTL = 86_400.0
"""Seconds for which a note is worth anything."""


class Note(Struct, frozen=True):
    """What a worker is about to count: batch, member, and how that ended."""

    ended: Sequence[tuple[UUID, bytes, How]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Note).decode


def noted(worker: str, note: Note) -> list[Group]:
    """What is written before members are settled; a worker's next note takes the place of this one."""
    return [
        Group([Put(_key(worker), _encode(note), NOTE_TTL)], partition=worker),
        Group([AddMembers(NOTES, [worker.encode()], NOTE_TTL)], partition=NOTES),
    ]


class Sweep:
    """One worker's sweeps of one store; of all workers one does it. Raises `ConnectionLost`."""

    def __init__(self, tally: Tally, worker: str) -> None:
        self._tally = tally
        self._worker = worker.encode()
        self._suspects: dict[UUID, set[bytes]] = {}
        self._unknown: set[UUID] = set()

    def run(self) -> int:
        """Looks at the open batches, and counts what will not be counted otherwise; how many."""
        (value,) = self._tally.store.read([ledger.OPEN])
        ids = [UUID(bytes=one) for one in sorted(value)] if isinstance(value, frozenset) else []
        if ids and not self._in_charge():
            ids = []
        self._suspects = {id: self._suspects.get(id, set()) for id in ids}
        return sum(self._mend(id) for id in ids)

    def _in_charge(self) -> bool:
        put = Put(SWEEPER, self._worker, 3 * EVERY)
        groups = [
            Group([put], [Absent(SWEEPER)], partition=SWEEPER),
            Group([put], [Equals(SWEEPER, self._worker)], partition=SWEEPER),
        ]
        return self._tally.store.apply(groups)[1] is not None

    def _mend(self, id: UUID) -> int:
        tally = self._tally
        (plan,) = tally.look_up([id])
        if plan is None:
            self._forget(id)
            return 0
        tally.tell_failure(id, plan)
        parts = ("pending", "pushing", "alive", "where", "cancelled")
        values = tally.store.read([ledger.batch_key(id, part) for part in parts])
        pending, pushing, alive, where, cancelled = values
        if pushing is not None and alive is None:
            tally.abandon(id)
        members = _members(pending)
        if not members:
            tally.finish(id)
            return 0
        if isinstance(pushing, bytes):
            members -= set(ledger.pushed_now(pushing))
        census = self._census(_members(where))
        return 0 if census is None else self._look(id, census, members, cancelled is not None)

    def _look(self, id: UUID, census: Census, members: frozenset[bytes], cancelled: bool) -> int:
        """Counts those that are nowhere, for the second time; the oldest tell if there may be more."""
        wanted, suspects, ended = sorted(members), set[bytes](), list[Ended]()
        for start in range(0, len(wanted), SOME):
            page = census.look(wanted[start : start + SOME])
            missing = {one: at for one, at in page.items() if at is not None and not _lives(at)}
            ended += self._end(id, {k: v for k, v in missing.items() if k in self._suspects[id]})
            suspects |= missing.keys()
            if cancelled:
                _hasten(page.values())
            elif not missing:
                break
        self._suspects[id] = suspects - {one.member for one in ended}
        if ended:
            self._tally.count({id: ended})
        return len(ended)

    def _end(self, id: UUID, missing: "dict[bytes, Found]") -> list[Ended]:
        notes = self._notes(id) if any(not at for at in missing.values()) else {}
        return [
            Ended(one, "failed", self._cause(at[-1][1].message.id))
            if at
            else Ended(one, notes.get(one, "dropped"))
            for one, at in missing.items()
        ]

    def _cause(self, id: UUID) -> Cause:
        dead = self._tally.app.failed.get(id)
        return Cause(id, dead.job if dead else "", dead.reason if dead else "")

    def _census(self, where: frozenset[bytes]) -> Census | None:
        """None if a broker of the batch cannot be asked, or is none of this app's."""
        app, names = self._tally.app, {name.decode() for name in where}
        if not names <= set(app.connections):
            return None
        connections = [app.connection(name) for name in sorted(names)]
        if not all(isinstance(one.driver, Lists) for one in connections):
            return None
        return Census(connections, self._tally.store)

    def _forget(self, id: UUID) -> None:
        """Its plan is gone, or not there yet: the second time it was seen so, it is gone."""
        if id in self._unknown:
            self._unknown.discard(id)
            self._tally.store.apply([ledger.closed(id)])
        else:
            self._unknown.add(id)

    def _notes(self, batch: UUID) -> dict[bytes, How]:
        (value,) = self._tally.store.read([NOTES])
        workers = [one.decode() for one in _members(value)]
        notes: dict[bytes, How] = {}
        gone = []
        for worker, data in zip(
            workers, self._tally.store.read([_key(one) for one in workers]), strict=True
        ):
            if isinstance(data, bytes):
                for id, member, how in _decode(data).ended:
                    # One that failed may have been retried since, and then another note says more.
                    if id == batch and (how != "failed" or member not in notes):
                        notes[member] = how
            else:
                gone.append(worker.encode())
        if gone:
            self._tally.store.apply([Group([RemoveMembers(NOTES, gone)], partition=NOTES)])
        return notes


def _lives(found: "Found") -> bool:
    return any(listed.state != "dead" for _, listed in found)


def _hasten(pages: "Iterable[Found | None]") -> None:
    """Makes members of a cancelled batch that wait for their moment due now, to be settled unrun."""
    by: dict[str, tuple[Cancels, list[UUID]]] = {}
    for found in pages:
        for connection, listed in found or ():
            driver: object = connection.driver
            if listed.state == "delayed" and isinstance(driver, Cancels):
                by.setdefault(connection.name, (driver, []))[1].append(listed.message.id)
    for driver, ids in by.values():
        driver.cancel(ids)


def _members(value: Value | None) -> frozenset[bytes]:
    return value if isinstance(value, frozenset) else frozenset()


def _key(worker: str) -> str:
    return f"batches:notes:{worker}"
