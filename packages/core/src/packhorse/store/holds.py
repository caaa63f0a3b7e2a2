"""A unique key in a store, for a broker that keeps none: what it holds, and each change of it; pure.

Broker and store share no transaction, so a key goes through phases, and each change is made only
if the key is still what it was thought to be (`Equals`):

- *sending*: taken before the message is sent, for `SENDING` seconds. A dispatcher that dies before
  the sending leaves a key that ends by itself soon. One that dies after it leaves a message without
  a key: it takes its key again when a worker gets it, or is superseded if another has it by then.
- *waiting*: the message was sent. Nobody could renew the key of a message that lies on a broker for
  weeks, so it has no end, or, on a broker that drops what nobody took, one behind that.
- *started*: a worker has it, under a token of that delivery. A redelivery puts its own token there,
  so a worker that lost its lease frees nothing; one that may not be replaced any more.
- *gone*: the message is gone, and its window holds the key on, until that is over.

A key is freed before the broker is told of the end: a crash in between leaves a message that comes
again and takes its key anew, where the other order would leave a key that nobody frees. The record of
a failure is kept before that: else another might take the key, and what comes again after the crash
would be superseded, and nobody would know that it had failed.

Whoever takes the place of a message that waits names it in `replaced`; only once the new one is sent
is that one marked as superseded, so that a dispatcher that dies in between has harmed nobody.
"""

from hashlib import blake2b
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from packhorse.driver.message import Unique
from packhorse.store.contract import (
    Absent,
    Action,
    AddMembers,
    Delete,
    Equals,
    Group,
    Put,
    RemoveMembers,
)

SENDING = 60.0
"""Seconds for which a key is taken before its message is known to be sent."""

MARKED = 14 * 86_400.0
"""Seconds beside its delay for which it is kept that a message is superseded, until it is taken off."""


class Hold(Struct, frozen=True, array_like=True):
    """What a key's value says: who holds it, how far that is, and when its run of replacements began.

    `first` is in seconds since 1970; `replaced` are those that wait and are superseded once this
    one is sent.
    """

    holder: UUID
    phase: Literal["sending", "waiting", "started", "gone"]
    first: float
    token: bytes = b""
    replaced: tuple[UUID, ...] = ()

    def replacing(self, id: UUID) -> "Hold":
        """What the key says when another, which is to be sent, takes the place of this holder."""
        return Hold(id, "sending", self.first, b"", (*self.replaced, self.holder))

    def sent(self) -> "Hold":
        """What the key says once the holder was sent."""
        return Hold(self.holder, "waiting", self.first)


pack = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder(Hold).decode


class Line(Struct, frozen=True):
    """Where the store keeps the keys of one queue of a connection, `partition` its own part of names.

    All that live stand in one set too, by the id and the key's own digest, for what knows no more
    than a message's id, or only the queue.
    """

    partition: str
    retention: float | None

    @classmethod
    def of(cls, connection: str, queue: str, retention: float | None) -> "Line":
        return cls(_digest(f"{len(connection)}:{connection}{queue}").hex(), retention)

    @property
    def all(self) -> str:
        return f"unique:{self.partition}"

    def key(self, key: str) -> str:
        """Where a unique key stands."""
        return f"unique:{self.partition}:{_digest(key).hex()}"

    def mark(self, id: UUID) -> str:
        """Where it stands that a message is superseded."""
        return f"unique:{self.partition}:over:{id}"

    def member(self, id: UUID, key: str) -> bytes:
        return id.bytes + _digest(key)

    def read_member(self, member: bytes) -> tuple[UUID, str]:
        """The id of a message, and where its key stands."""
        return UUID(bytes=member[:16]), f"unique:{self.partition}:{member[16:].hex()}"


class Place(Struct, frozen=True):
    """One key of one message, and every change of it."""

    line: Line
    id: UUID
    unique: Unique

    @property
    def key(self) -> str:
        return self.line.key(self.unique.key)

    @property
    def mark(self) -> str:
        return self.line.mark(self.id)

    def taking(self, hold: Hold, before: bytes | None) -> Group:
        """Takes the key for a message that is to be sent, if it is free, or still is `before`."""
        held = Absent(self.key) if before is None else Equals(self.key, before)
        return self._group([Put(self.key, pack(hold), SENDING)], held)

    def restoring(self, hold: Hold, before: bytes | None) -> Group:
        """Gives back the key of a message that was not sent."""
        back: Action = Delete(self.key)
        if before is not None:
            left = {"sending": SENDING, "gone": self.unique.window}
            ttl = left.get(unpack(before).phase, self.line.retention)
            back = Put(self.key, before, ttl)
        return self._group([back], Equals(self.key, pack(hold)))

    def confirming(self, hold: Hold, delay: float) -> Group:
        """The message was sent."""
        return self._group(
            [self._wait(hold, delay), self._add(), *self._marks(hold, delay)],
            Equals(self.key, pack(hold)),
        )

    def starting(self, hold: Hold, before: bytes | None, was: Hold | None) -> Group:
        """A worker has the message; `was` is what the key said, if that was this message's."""
        actions: list[Action] = [Put(self.key, pack(hold), self.line.retention)]
        if was is None or was.phase not in ("waiting", "started"):
            actions.append(self._add())
        if was is not None:
            actions += self._marks(was)
        held = Absent(self.key) if before is None else Equals(self.key, before)
        return self._group(actions, held)

    def passing(self, was: Hold, before: bytes, window: float) -> Group:
        """A worker has the message, and its key was for the time until then."""
        return self._group([*self._end(was, window), *self._marks(was)], Equals(self.key, before))

    def waiting_again(self, hold: Hold, delay: float) -> Group:
        """The message goes back to wait."""
        return self._group([self._wait(hold, delay)], Equals(self.key, pack(hold)))

    def ending(self, hold: Hold, window: float) -> Group:
        """The message is about to end, and its window has so many seconds left."""
        return self._group(self._end(hold, window), Equals(self.key, pack(hold)))

    def forgetting(self) -> Group:
        """The message has no key any more: it was superseded, or its key is another's by now."""
        return self._group([Delete(self.mark), self._remove()])

    def _group(self, actions: "list[Action]", *conditions: Absent | Equals) -> Group:
        return Group(actions, conditions, self.line.partition)

    def _wait(self, hold: Hold, delay: float) -> Put:
        kept = self.line.retention
        return Put(self.key, pack(hold.sent()), None if kept is None else kept + delay)

    def _end(self, hold: Hold, window: float) -> "list[Action]":
        gone = Hold(hold.holder, "gone", hold.first)
        end = Put(self.key, pack(gone), window) if window > 0 else Delete(self.key)
        return [end, self._remove()]

    def _marks(self, hold: Hold, delay: float = 0.0) -> "list[Action]":
        ttl = (self.line.retention or MARKED) + delay
        return [Put(self.line.mark(id), self.id.bytes, ttl) for id in hold.replaced]

    def _add(self) -> AddMembers:
        return AddMembers(self.line.all, [self.line.member(self.id, self.unique.key)])

    def _remove(self) -> RemoveMembers:
        return RemoveMembers(self.line.all, [self.line.member(self.id, self.unique.key)])


def window_left(unique: Unique, sent_at: float, now: float) -> float:
    """Seconds for which a window holds a key on; both moments in seconds since 1970."""
    return min(unique.window, sent_at + unique.window - now) if unique.window else 0.0


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
