"""Members of a batch on their way out: written down first, so that none ends before it counts."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from packhorse import events
from packhorse.driver.message import Message
from packhorse.errors import PackhorseError
from packhorse.flow import ledger
from packhorse.flow.batches import Batch
from packhorse.flow.chain import first_message
from packhorse.flow.link import KNOWN
from packhorse.flow.mark import marked
from packhorse.flow.tally import Tally
from packhorse.ids import derived_id, new_id
from packhorse.store.contract import Group
from packhorse.wire.flow import Link, Membership, Plan
from packhorse.wire.seal import seal

if TYPE_CHECKING:
    from packhorse.connection import Connection

PORTION = 1_000
"""Members that are written down and pushed together, at most."""

SOON = 1.0
"""Seconds after which those that a slow iterable has given are pushed without waiting for more."""


class Member(Struct, frozen=True, omit_defaults=True):
    """One member as it is written down: a link, or those of a chain and what that catches with."""

    links: tuple[Link, ...]
    catch: tuple[Link, ...] = ()


def begin(tally: Tally, plan: Plan, members: Iterable[Member]) -> Batch:
    """Pushes a batch. If the members raise, or a push does, it is cancelled and the error goes on."""
    id = new_id()
    _open(tally, id, plan, by_job=False)
    try:
        for number, some in enumerate(_as_they_come(members)):
            portion = _Portion(tally, id, some, [new_id() for _ in some])
            written = ledger.dispatched(id, portion.names, portion.where, number)
            if tally.store.apply([written]) == [None]:
                raise PackhorseError(
                    f"batch {id} was given up while it was dispatched: nothing was heard of its "
                    f"dispatcher for {ledger.ALIVE:g} s; let the iterable give its jobs sooner"
                )
            portion.push()
            tally.store.apply([ledger.pushed(id), ledger.alive(id)])
    except BaseException:
        with suppress(PackhorseError):  # a sweep does it then
            tally.abandon(id)
        raise
    return _close(tally, id, plan)


def begin_again(tally: Tally, id: UUID, plan: Plan, members: Sequence[Member]) -> Batch:
    """Pushes a batch for a job that may be run again: with the same id and members nothing changes."""
    _open(tally, id, plan, by_job=True)
    for number, start in enumerate(range(0, len(members), PORTION)):
        some = members[start : start + PORTION]
        ids = [derived_id(id, str(start + place)) for place in range(len(some))]
        portion = _Portion(tally, id, some, ids, KNOWN)
        tally.store.apply([ledger.dispatched(id, portion.names, portion.where, number)])
        portion.push()
    return _close(tally, id, plan)


def add(tally: Tally, id: UUID, members: Iterable[Member]) -> int:
    """Pushes more members into a batch that runs, and says how many."""
    added = 0
    for some in _as_they_come(members):
        portion = _Portion(tally, id, some, [new_id() for _ in some])
        if tally.store.apply([ledger.added(id, portion.names, portion.where)]) == [None]:
            raise PackhorseError(f"batch {id} is over, or forgotten; nothing can be added to it")
        added += portion.push()
    return added


def _open(tally: Tally, id: UUID, plan: Plan, by_job: bool) -> None:
    data = seal(plan, tally.connection.codecs(), id=id, job="batch", at=plan.created)
    tally.store.apply(ledger.begun(id, data, by_job))


def _close(tally: Tally, id: UUID, plan: Plan) -> Batch:
    tally.store.apply([ledger.all_pushed(id)])
    batch = Batch(tally, id, plan.name, plan.created)
    if tally.app.bus.hears(events.BatchDispatched):
        event = events.BatchDispatched(id=id, name=plan.name, total=batch.total)
        tally.app.bus.emit(event)
    tally.finish(id)
    return batch.refresh()


class _Portion:
    """Some members as messages, by the connections that they go to; `names` is what the batch counts."""

    def __init__(
        self,
        tally: Tally,
        batch: UUID,
        members: Sequence[Member],
        ids: Sequence[UUID],
        once: float = 0.0,
    ) -> None:
        self._tally = tally
        self._batch = batch
        self.names: list[bytes] = []
        self.where: set[str] = set()
        self._lines: dict[str, _Line] = {}
        for id, one in zip(ids, members, strict=True):
            name = ledger.member_of(id, len(one.links))
            of = Membership(batch, tally.connection.name, name)
            connection, message, groups = first_message(
                one.links, one.catch, tally.app, id, of, once
            )
            line = self._lines.setdefault(connection.name, _Line(connection))
            line.messages.append(message)
            line.jobs.append(one.links[0].job)
            line.names.append(name)
            line.groups += groups
            self.names.append(name)
            self.where |= {link.connection for link in one.links}

    def push(self) -> int:
        """Sends them; how many are members, since one whose unique key is taken is none."""
        taken: list[bytes] = []
        for line in self._lines.values():
            if line.groups:
                line.connection.store.apply(line.groups)
            messages = marked(line.connection, line.messages)
            handles = self._tally.app.send(line.connection, messages, line.jobs)
            for handle, message, name in zip(handles, messages, line.names, strict=True):
                if handle.id != message.id:
                    taken.append(name)
        if taken:
            self._tally.store.apply(ledger.not_pushed(self._batch, taken))
        return len(self.names) - len(taken)


class _Line:
    """What goes to one connection."""

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection
        self.messages: list[Message] = []
        self.jobs: list[str] = []
        self.names: list[bytes] = []
        self.groups: list[Group] = []


def _as_they_come(members: Iterable[Member]) -> Iterator[list[Member]]:
    """Members in portions: a thousand, or what came in a second."""
    source = iter(members)
    while some := list(islice(source, 1)):
        until = time.monotonic() + SOON
        for one in source:
            some.append(one)
            if len(some) >= PORTION or time.monotonic() >= until:
                break
        yield some
