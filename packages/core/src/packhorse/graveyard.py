"""Where a connection's dead messages lie: with its driver, or in its store where the broker keeps none."""

import builtins
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from msgspec import Struct

from packhorse.driver.abilities import Buries, Clears, KeepsDead, Lists, Rewrites
from packhorse.driver.message import Delivery, Listed, Message, Rewriting, Sent, Unique
from packhorse.errors import StoreRequired
from packhorse.store.contract import AddMembers, Delete, Equals, Group, Put, RemoveMembers

if TYPE_CHECKING:
    from packhorse.connection import Connection

PAGE = 500
"""Messages that are looked at in one round trip."""


class Graveyard(ABC):
    """The dead messages of one connection, newest first; see `Lists` and `KeepsDead` for the verbs."""

    @abstractmethod
    def list(self, queue: str | None, limit: int, after: UUID | None = None) -> list[Listed]: ...

    @abstractmethod
    def get(self, ids: Sequence[UUID]) -> "builtins.list[Listed | None]": ...

    @abstractmethod
    def revive(self, messages: Sequence[Message]) -> "builtins.list[Sent]": ...

    @abstractmethod
    def forget(self, ids: Sequence[UUID]) -> int: ...

    @abstractmethod
    def clear(self, older_than: float | None) -> int: ...

    @abstractmethod
    def rewrite(self, changes: Sequence[Rewriting]) -> int: ...

    def every(self, queue: str | None) -> Iterator[Listed]:
        """All of a queue, or of all, read in pages."""
        after = None
        while page := self.list(queue, PAGE, after):
            yield from page
            after = page[-1].message.id


def graveyard(connection: "Connection") -> Graveyard:
    """The graveyard of a connection; raises `StoreRequired` if neither driver nor store keeps any."""
    driver: object = connection.driver
    if isinstance(driver, KeepsDead):
        return DriverGraveyard(connection)
    return StoreGraveyard(connection)


def buries(connection: "Connection") -> Buries | None:
    """The driver, if dead messages stay with it unlisted: it can do that, and there is no store."""
    driver: object = connection.driver
    if not isinstance(driver, Buries):
        return None
    try:
        connection.require_store()
    except StoreRequired:
        return driver
    return None


class DriverGraveyard(Graveyard):
    """Dead messages that the broker keeps, moved there in the settling's own transaction."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._lists = connection.able(Lists, "list failed jobs")
        self._keeps = connection.able(KeepsDead, "keep failed jobs")
        self._clears = connection.able(Clears, "remove failed jobs")

    def list(
        self, queue: str | None, limit: int, after: UUID | None = None
    ) -> builtins.list[Listed]:
        return self._lists.list(queue, "dead", limit, after)

    def get(self, ids: Sequence[UUID]) -> "builtins.list[Listed | None]":
        found = self._lists.get(ids)
        return [one if one is not None and one.state == "dead" else None for one in found]

    def revive(self, messages: Sequence[Message]) -> "builtins.list[Sent]":
        return self._keeps.revive(messages)

    def forget(self, ids: Sequence[UUID]) -> int:
        return self._keeps.forget(ids)

    def clear(self, older_than: float | None) -> int:
        return self._clears.clear(None, "dead", older_than)

    def rewrite(self, changes: Sequence[Rewriting]) -> int:
        return self._connection.able(Rewrites, "write messages anew").rewrite(changes)


class _Grave(Struct, frozen=True):
    """What the store keeps of a dead message."""

    queue: str
    body: bytes
    record: bytes
    died_at: int
    deliveries: int
    worker: str
    unique: Unique | None = None
    group: str | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Grave).decode
_MEMBER = struct.Struct(">Q16s")


class StoreGraveyard(Graveyard):
    """Dead messages in a store: one key a message, and a set that says when each died.

    The record is written before the message leaves the broker, so a crash between the two leaves
    both; `buried` tells a worker that gets such a message again. Listing reads the whole set.
    """

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._store = connection.store
        self._prefix = f"dead:{connection.name}"

    def bury(self, dead: "Sequence[tuple[Delivery, bytes]]", worker: str) -> None:
        """Writes messages and their records; burying one twice changes nothing but the record."""
        known = self._read([delivery.message.id for delivery, _ in dead])
        groups = []
        for delivery, record in dead:
            message = delivery.message
            old = known.get(message.id)
            died_at = time.time_ns() // 1000 if old is None else old.died_at
            grave = _Grave(
                message.queue,
                message.body,
                record,
                died_at,
                delivery.deliveries,
                worker,
                message.unique,
                message.group,
            )
            member = AddMembers(self._prefix, [_MEMBER.pack(died_at, message.id.bytes)])
            groups.append(Group([Put(self._key(message.id), _encode(grave)), member]))
        self._store.apply(groups)

    def buried(self, ids: Sequence[UUID]) -> set[UUID]:
        """Which of these are dead already."""
        return set(self._read(ids))

    def list(
        self, queue: str | None, limit: int, after: UUID | None = None
    ) -> builtins.list[Listed]:
        found: builtins.list[Listed] = []
        members = self._members()
        border = None if after is None else self._read([after]).get(after)
        if after is not None and border is not None:
            last = _MEMBER.pack(border.died_at, after.bytes)
            members = [one for one in members if one < last]
        for start in range(0, len(members), PAGE):
            ids = [UUID(bytes=_MEMBER.unpack(one)[1]) for one in members[start : start + PAGE]]
            for id, grave in self._read(ids).items():
                if queue in (None, grave.queue):
                    found.append(_listed(id, grave))
            if len(found) >= limit:
                break
        return found[:limit]

    def get(self, ids: Sequence[UUID]) -> "builtins.list[Listed | None]":
        found = self._read(ids)
        return [_listed(id, found[id]) if id in found else None for id in ids]

    def revive(self, messages: Sequence[Message]) -> "builtins.list[Sent]":
        there = self._read([message.id for message in messages])
        sent = self._connection.send([one for one in messages if one.id in there])
        # One that has run, and died again by now, has a new record, which stays.
        revived = {answer.id for answer in sent if answer.state == "stored"}
        self._remove({id: grave for id, grave in there.items() if id in revived})
        answers = {answer.id: answer for answer in sent}
        return [answers.get(one.id) or Sent(one.id, "known") for one in messages]

    def forget(self, ids: Sequence[UUID]) -> int:
        found = self._read(ids)
        self._remove(found)
        return len(found)

    def clear(self, older_than: float | None) -> int:
        members = self._members()
        if older_than is not None:
            border = _MEMBER.pack(int((time.time() - older_than) * 1e6), b"\xff" * 16)
            members = [one for one in members if one <= border]
        removed = 0
        for start in range(0, len(members), PAGE):
            page = members[start : start + PAGE]
            removed += self.forget([UUID(bytes=_MEMBER.unpack(one)[1]) for one in page])
        return removed

    def rewrite(self, changes: Sequence[Rewriting]) -> int:
        there = self._read([change.id for change in changes])
        groups = []
        for change in changes:
            old = there.get(change.id)
            if old is None or old.body != change.old:
                continue
            record = old.record if change.record is None else change.record
            new = msgspec.structs.replace(old, body=change.new, record=record)
            key = self._key(change.id)
            groups.append(Group([Put(key, _encode(new))], [Equals(key, _encode(old))]))
        return sum(answer is not None for answer in self._store.apply(groups))

    def _remove(self, graves: "Mapping[UUID, _Grave]") -> None:
        """Removes what is still as it was read."""
        self._store.apply(
            [
                Group(
                    [
                        Delete(self._key(id)),
                        RemoveMembers(self._prefix, [_MEMBER.pack(grave.died_at, id.bytes)]),
                    ],
                    [Equals(self._key(id), _encode(grave))],
                )
                for id, grave in graves.items()
            ]
        )

    def _members(self) -> "builtins.list[bytes]":
        value = self._store.read([self._prefix])[0]
        return sorted(value, reverse=True) if isinstance(value, frozenset) else []

    def _read(self, ids: Sequence[UUID]) -> Mapping[UUID, _Grave]:
        values = self._store.read([self._key(id) for id in ids])
        return {
            id: _decode(value)
            for id, value in zip(ids, values, strict=True)
            if isinstance(value, bytes)
        }

    def _key(self, id: UUID) -> str:
        return f"{self._prefix}:{id}"


def _listed(id: UUID, grave: _Grave) -> Listed:
    return Listed(
        Message(id, grave.queue, grave.body, unique=grave.unique, group=grave.group),
        "dead",
        grave.died_at / 1e6,
        grave.deliveries,
        grave.worker,
        record=grave.record,
    )
