"""A chain that was dispatched: where it stands, and how to end it."""

from contextlib import suppress
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from packhorse.cancelling import cancel
from packhorse.driver.abilities import Lists
from packhorse.errors import StoreRequired, Unsupported
from packhorse.handle import JobHandle
from packhorse.ids import derived_id
from packhorse.store.contract import Delete, Expire, Group, Put
from packhorse.wire.flow import Chain
from packhorse.wire.seal import open_envelope

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.driver.message import Listed

ChainState = Literal["running", "succeeded", "failed", "cancelled", "skipped"]
"""How a chain stands. "skipped": it ended at a link whose unique key was taken."""

KEEP = 7 * 86_400.0
"""Seconds for which the record of a chain that has ended stays."""

PAGE = 200
"""Links that are looked for in one round trip."""

PORTION = 16
"""Links that travel with a job; those behind them wait in the store, so that a long chain costs no
more a link than a short one."""


class Record(Struct, frozen=True):
    """What the store knows of a chain: how many links it has, with those that jobs added, at most."""

    length: int
    state: ChainState = "running"


_encode = msgspec.msgpack.Encoder().encode
read_record = msgspec.msgpack.Decoder(Record).decode


def chain_key(id: UUID) -> str:
    return f"chain:{id}"


def cancel_key(id: UUID) -> str:
    """Where the store keeps that a chain is cancelled.

    Each link asks, so these keys stand together, apart from the long values of the portions.
    """
    return f"chain-cancelled:{id}"


def portion_key(id: UUID, number: int) -> str:
    """Where the store keeps a portion of a long chain's links."""
    return f"chain-links:{id}:{number}"


def link_id(chain: UUID, place: int) -> UUID:
    """The id of the job at a place: the first has the chain's own, the others follow from it."""
    return derived_id(chain, str(place)) if place else chain


def length_of(chain: Chain) -> int:
    """How many links a chain has, at most."""
    return chain.place + 1 + len(chain.links) + PORTION * chain.tail + len(chain.last)


def started(id: UUID, length: int) -> Group:
    """What the store is told of a chain that begins, or has grown."""
    return Group([Put(chain_key(id), _encode(Record(length)))], partition=str(id))


def ended(chain: Chain, state: ChainState) -> Group:
    """What the store is told when a chain has ended; a retry of the failed link may start it again."""
    record = Put(chain_key(chain.id), _encode(Record(length_of(chain), state)), KEEP)
    rest = [Expire(key, KEEP) for key in _portions(chain)]
    return Group([record, Delete(cancel_key(chain.id)), *rest], partition=str(chain.id))


def restarted(chain: Chain) -> Group:
    """What the store is told before the link by which a chain failed is retried."""
    record = Put(chain_key(chain.id), _encode(Record(length_of(chain))))
    rest = [Expire(key, None) for key in _portions(chain)]
    return Group([record, *rest], partition=str(chain.id))


def used(chain: Chain, settled: bool) -> Group:
    """What the store is told when the next portion of a chain's links travels on.

    Unless the job that sends them is `settled`, it may have to do so again.
    """
    key = portion_key(chain.id, chain.tail)
    return Group([Delete(key) if settled else Expire(key, KEEP)], partition=str(chain.id))


def _portions(chain: Chain) -> list[str]:
    return [portion_key(chain.id, number) for number in range(1, chain.tail + 1)]


class ChainHandle:
    """Knows where a chain is kept. May be used from any thread.

    `id` is the chain's, and its first job's. `skipped` says that nothing was pushed, because the
    first job's unique key was taken.
    """

    def __init__(
        self,
        app: "Packhorse",
        connection: "Connection",
        id: UUID,
        length: int,
        skipped: bool = False,
    ) -> None:
        self._app = app
        self._connection = connection
        self.id = id
        self.length = length
        self.skipped = skipped

    def state(self) -> ChainState:
        """Whether it runs, or how it ended; "skipped": the unique key of a link was taken.

        Raises `StoreRequired` where no store keeps chains.
        """
        (value,) = self._connection.store.read([chain_key(self.id)])
        if not isinstance(value, bytes):
            return "skipped" if self.skipped else "succeeded"
        return read_record(value).state

    def current(self) -> JobHandle[object] | None:
        """The link that waits, runs or lies with the failed jobs; None when the chain is over.

        Between two links there is none for a moment. Raises `Unsupported` if a broker cannot tell.
        """
        found = self._find()
        if found is None:
            return None
        listed, connection, place = found
        job = open_envelope(listed.message.body).job
        return JobHandle(connection, link_id(self.id, place), job, listed.message.queue)

    def place(self) -> int | None:
        """Which link is the current one, from 0; see `current`."""
        found = self._find()
        return None if found is None else found[2]

    def cancel(self) -> bool:
        """Ends the chain: the current link is cancelled, and none follows; False if it is over.

        Raises `StoreRequired` where no store keeps chains.
        """
        if self.state() != "running":
            return False
        self._connection.store.apply(
            [Group([Put(cancel_key(self.id), b"1", KEEP)], partition=str(self.id))]
        )
        with suppress(Unsupported):  # then the link is not run when its turn comes
            found = self._find()
            if found is not None and found[0].state != "dead":
                cancel(found[1], found[0].message.id)
        return True

    def _find(self) -> "tuple[Listed, Connection, int] | None":
        """The last link that is on any broker."""
        length = self._length()
        for start in range(0, length, PAGE):
            ids = [link_id(self.id, place) for place in range(start, min(start + PAGE, length))]
            for connection in self._app.all_connections():
                found = connection.able(Lists, "look up a message").get(ids)
                for place, listed in reversed(list(enumerate(found, start))):
                    if listed is not None:
                        return listed, connection, place
        return None

    def _length(self) -> int:
        """How many links it has by now."""
        with suppress(StoreRequired):
            (value,) = self._connection.store.read([chain_key(self.id)])
            if isinstance(value, bytes):
                return read_record(value).length
        return self.length

    def __repr__(self) -> str:
        return f"<chain {self.id} of {self.length}>"


class Chains:
    """`app.chains`: the chains that were dispatched, found by their ids."""

    def __init__(self, app: "Packhorse") -> None:
        self._app = app

    def find(self, id: UUID | str) -> ChainHandle | None:
        """The chain of this id, None if no store knows it (any more)."""
        id = id if isinstance(id, UUID) else UUID(id)
        for connection in self._app.all_connections():
            try:
                (value,) = connection.store.read([chain_key(id)])
            except StoreRequired:
                continue
            if isinstance(value, bytes):
                return ChainHandle(self._app, connection, id, read_record(value).length)
        return None
