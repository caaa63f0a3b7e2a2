"""Mends batches that nobody will end otherwise: after a crash, or when members have vanished.

A member that is pending but on no broker, twice in a row, will never be counted by a worker: it was
settled by one that died before counting it, or it was cleared. What was about to be counted stands
in the notes of the workers; what stands in none of them is dropped.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from msgspec import Struct

from packhorse.driver.abilities import Lists
from packhorse.flow import ledger
from packhorse.flow.ledger import How
from packhorse.flow.tally import Ended, Tally
from packhorse.store.contract import AddMembers, Group, Put, RemoveMembers

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.driver.message import Listed

EVERY = 30.0
"""Seconds between two sweeps of a worker."""

SOME = 1_000
"""Members of a batch that one sweep asks the brokers about: the first in the order of their ids."""

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
    """One process's sweeps of one store. Not thread-safe; raises `ConnectionLost`."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._suspects: dict[UUID, set[bytes]] = {}

    def run(self) -> int:
        """Looks at the open batches, and counts what will not be counted otherwise; how many."""
        (value,) = self._tally.store.read([ledger.OPEN])
        ids = [UUID(bytes=one) for one in sorted(value)] if isinstance(value, frozenset) else []
        self._suspects = {id: self._suspects.get(id, set()) for id in ids}
        return sum(self._mend(id) for id in ids)

    def _mend(self, id: UUID) -> int:
        (value,) = self._tally.store.read([ledger.batch_key(id, "pending")])
        pending = value if isinstance(value, frozenset) else frozenset[bytes]()
        if not pending:
            self._tally.finish(id)
            return 0
        some = [one for one in sorted(pending) if one != ledger.DISPATCHER][:SOME]
        found = _found(self._tally.app, some)
        if found is None:
            return 0
        missing = {one for one in some if not _alive(found, one)}
        ended = missing & self._suspects[id]
        self._suspects[id] = missing - ended
        if ended:
            notes = self._notes(id)
            self._tally.count({id: [Ended(one, _how(found, one, notes)) for one in ended]})
        return len(ended)

    def _notes(self, batch: UUID) -> dict[bytes, How]:
        (value,) = self._tally.store.read([NOTES])
        workers = [one.decode() for one in value] if isinstance(value, frozenset) else []
        notes: dict[bytes, How] = {}
        gone = []
        for worker, data in zip(
            workers, self._tally.store.read([_key(one) for one in workers]), strict=True
        ):
            if isinstance(data, bytes):
                ended = _decode(data).ended
                notes |= {member: how for id, member, how in ended if id == batch}
            else:
                gone.append(worker.encode())
        if gone:
            self._tally.store.apply([Group([RemoveMembers(NOTES, gone)], partition=NOTES)])
        return notes


def _found(app: "Packhorse", members: Sequence[bytes]) -> "dict[bytes, list[Listed]] | None":
    """What the brokers hold of each member; None if one of them cannot tell."""
    ids = [(member, id) for member in members for id in ledger.job_ids(member)]
    found: dict[bytes, list[Listed]] = {member: [] for member in members}
    for connection in app.all_connections():
        driver: object = connection.driver
        if not isinstance(driver, Lists):
            return None
        for (member, _), listed in zip(ids, driver.get([id for _, id in ids]), strict=True):
            if listed is not None:
                found[member].append(listed)
    return found


def _alive(found: "dict[bytes, list[Listed]]", member: bytes) -> bool:
    return any(listed.state != "dead" for listed in found[member])


def _how(found: "dict[bytes, list[Listed]]", member: bytes, notes: dict[bytes, How]) -> How:
    return "failed" if found[member] else notes.get(member, "dropped")


def _key(worker: str) -> str:
    return f"batches:notes:{worker}"
