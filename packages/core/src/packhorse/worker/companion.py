"""What a broker cannot keep is kept in the connection's store: dead messages and rewritten bodies.

Both are written before the broker is told, keyed by the message's id, and read when a message comes
again: one read for a whole reservation, and none where nothing came again.
"""

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from packhorse.driver.abilities import KeepsDead
from packhorse.driver.message import Delivery
from packhorse.driver.outcome import Dead, Done, Outcome, Retry
from packhorse.graveyard import StoreGraveyard, buries
from packhorse.store.contract import Delete, Group, Put

if TYPE_CHECKING:
    from packhorse.connection import Connection

BODY_TTL = 14 * 86_400.0
"""Seconds for which a rewritten body is kept: as long as any broker of this kind keeps a message."""

_COUNT = struct.Struct(">I")


class _Rewritten(Delivery, frozen=True):
    """A delivery whose body came from the store; `counted` are the deliveries before that was written."""

    counted: int = 0


class Companion:
    """The store behind a broker that keeps no dead messages, or cannot rewrite a body.

    Raises `StoreRequired` when it is made, if there is no store.
    """

    def __init__(self, connection: "Connection", worker: str) -> None:
        driver: object = connection.driver
        self._store = connection.store
        self._worker = worker
        self._prefix = f"body:{connection.name}"
        self._graves: StoreGraveyard | None = None
        if not isinstance(driver, KeepsDead):
            self._graves = StoreGraveyard(connection)
        self._rewrites = connection.driver.capabilities.rewrite == "none"

    @classmethod
    def of(cls, connection: "Connection", worker: str) -> "Companion | None":
        """A companion, if this connection's broker needs one."""
        driver: object = connection.driver
        keeps = isinstance(driver, KeepsDead) or buries(connection) is not None
        enough = keeps and connection.driver.capabilities.rewrite != "none"
        return None if enough else cls(connection, worker)

    def keep(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Writes what the broker cannot, and gives the outcomes as the broker is to be told them."""
        told: list[Outcome] = []
        dead: list[tuple[Delivery, bytes]] = []
        groups: list[Group] = []
        for outcome in outcomes:
            id = outcome.delivery.message.id
            if isinstance(outcome, Dead) and self._graves is not None:
                dead.append((outcome.delivery, outcome.record))
                outcome = Done(outcome.delivery, outcome.follow)
            elif isinstance(outcome, Retry) and self._rewrites:
                counted = _COUNT.pack(_counted(outcome.delivery))
                groups.append(Group([Put(self._key(id), counted + outcome.body, BODY_TTL)]))
            if isinstance(outcome, Done | Dead) and self._rewrites:
                groups.append(Group([Delete(self._key(id))]))
            told.append(outcome)
        if dead and self._graves is not None:
            self._graves.bury(dead, self._worker)
        if groups:
            self._store.apply(groups)
        return told

    def recall(self, deliveries: Sequence[Delivery]) -> tuple[list[Delivery], set[UUID]]:
        """The deliveries with what was kept of them, and the ids of those that are dead already."""
        again = [one for one in deliveries if one.deliveries > 1]
        if not again:
            return list(deliveries), set()
        ids = [one.message.id for one in again]
        buried = self._graves.buried(ids) if self._graves is not None else set()
        kept: dict[UUID, bytes] = {}
        if self._rewrites:
            values = self._store.read([self._key(id) for id in ids])
            kept = {id: v for id, v in zip(ids, values, strict=True) if isinstance(v, bytes)}
        return [_rewritten(one, kept.get(one.message.id)) for one in deliveries], buried

    def _key(self, id: UUID) -> str:
        return f"{self._prefix}:{id}"


def _rewritten(delivery: Delivery, kept: bytes | None) -> Delivery:
    if kept is None:
        return delivery
    (counted,) = _COUNT.unpack_from(kept)
    fields = msgspec.structs.asdict(delivery) | {
        "message": msgspec.structs.replace(delivery.message, body=kept[_COUNT.size :]),
        # Counted since the message was last written, and it was written when this stood in the store.
        "deliveries": max(1, delivery.deliveries - counted),
    }
    return _Rewritten(**fields, counted=counted)


def _counted(delivery: Delivery) -> int:
    """How many deliveries the broker has counted, this one included."""
    return delivery.deliveries + (delivery.counted if isinstance(delivery, _Rewritten) else 0)
