"""A batch before it is sent, and how its members are: jobs that are counted together."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from packhorse import events
from packhorse.driver.message import Message
from packhorse.errors import PackhorseError
from packhorse.flow import ledger
from packhorse.flow.batches import Batch
from packhorse.flow.chain import PendingChain, first_message
from packhorse.flow.link import links_for, raw
from packhorse.flow.tally import Ended, Tally
from packhorse.ids import derived_id, new_id
from packhorse.job import Job, pending
from packhorse.store.contract import Group
from packhorse.wire.flow import Link, Membership, Plan
from packhorse.wire.seal import seal

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.pending import Pending

Members: TypeAlias = "Job | Pending[Any] | PendingChain | Sequence[Job | Pending[Any]]"
"""A member of a batch: a job, or a chain; a list is a chain."""

PORTION = 1_000
"""Members that are written down and pushed together."""


class PendingBatch:
    """A batch that is ready to go. Each method gives another one; the jobs are taken at the dispatch.

    Callbacks are jobs, pushed once whatever is redelivered; their `ctx.batch` is the batch.
    """

    def __init__(
        self,
        jobs: "Iterable[Members]",
        name: str = "",
        callbacks: "Callbacks | None" = None,
        queue: str | None = None,
        connection: str | None = None,
    ) -> None:
        self._jobs = jobs
        self._name = name
        self._callbacks = callbacks or Callbacks()
        self._queue = queue
        self._connection = connection

    def then(self, *jobs: "Job | Pending[Any]") -> "PendingBatch":
        """With jobs that are pushed when every member is done."""
        return self._with(then=(*self._callbacks.then, *map(pending, jobs)))

    def catch(self, *jobs: "Job | Pending[Any]") -> "PendingBatch":
        """With jobs that are pushed at the first failure; `ctx.cause` tells them which."""
        return self._with(catch=(*self._callbacks.catch, *map(pending, jobs)))

    def finally_(self, *jobs: "Job | Pending[Any]") -> "PendingBatch":
        """With jobs that are pushed when every member has ended, however that was."""
        return self._with(finally_=(*self._callbacks.finally_, *map(pending, jobs)))

    def progress(self, *jobs: "Job | Pending[Any]") -> "PendingBatch":
        """With jobs that are pushed whenever members have ended, once for those settled together."""
        return self._with(progress=(*self._callbacks.progress, *map(pending, jobs)))

    def allow_failures(self, allow: bool = True) -> "PendingBatch":
        """A failure does not cancel the batch then."""
        return self._with(allow_failures=allow)

    def using(self, *, queue: str | None = None, connection: str | None = None) -> "PendingBatch":
        """With a queue and a connection for every job that names none.

        The connection's store counts the batch.
        """
        return PendingBatch(
            self._jobs,
            self._name,
            self._callbacks,
            queue or self._queue,
            connection or self._connection,
        )

    def dispatch(self) -> Batch:
        """Pushes the members through the current app, a thousand at a time.

        An empty batch is over at once. If the iterable raises, the batch is cancelled and the error
        goes through. Raises `StoreRequired` where the connection has no store, `ConnectionLost`.
        """
        from packhorse.current import current_app

        return self.dispatch_on(current_app())

    async def dispatch_async(self) -> Batch:
        """`dispatch` off the event loop."""
        import asyncio

        return await asyncio.to_thread(self.dispatch)

    def dispatch_on(self, app: "Packhorse") -> Batch:
        """`dispatch` through an app."""
        connection = app.connection(self._connection)
        plan = self.plan(app)
        members = written(self._jobs, app, connection, self._queue)
        return begin(app.batches.tally(connection.name), new_id(), plan, members)

    def plan(self, app: "Packhorse") -> Plan:
        """What the store is to keep of it."""
        connection = app.connection(self._connection)

        def links(jobs: "Iterable[Pending[Any]]") -> tuple[Raw, ...]:
            return raw(links_for(jobs, app, connection, self._queue))

        calls = self._callbacks
        return Plan(
            self._name,
            time.time(),
            calls.allow_failures,
            links(calls.then),
            links(calls.catch),
            links(calls.finally_),
            links(calls.progress),
        )

    def start(self, app: "Packhorse", otherwise: "Connection | None") -> "Pending[Any]":
        """The job that begins this batch, for a chain of which it is a link."""
        from packhorse.flow.start import start

        connection = app.connection(self._connection) if self._connection else otherwise
        connection = connection or app.connection()
        members = list(written(self._jobs, app, connection, self._queue))
        return start(connection, self.plan(app), members)

    def _with(self, **more: Any) -> "PendingBatch":
        callbacks = msgspec.structs.replace(self._callbacks, **more)
        return PendingBatch(self._jobs, self._name, callbacks, self._queue, self._connection)

    def __repr__(self) -> str:
        return f"<pending batch {self._name}>"


class Callbacks(Struct, frozen=True):
    """What a batch pushes beside its members, and whether it bears failures."""

    then: "tuple[Pending[Any], ...]" = ()
    catch: "tuple[Pending[Any], ...]" = ()
    finally_: "tuple[Pending[Any], ...]" = ()
    progress: "tuple[Pending[Any], ...]" = ()
    allow_failures: bool = False


class Member(Struct, frozen=True, omit_defaults=True):
    """One member as it is written down: a link, or those of a chain and what that catches with."""

    links: tuple[Link, ...]
    catch: tuple[Link, ...] = ()


def written(
    jobs: "Iterable[Members]", app: "Packhorse", connection: "Connection", queue: str | None
) -> Iterator[Member]:
    """Members as they are written down, one by one as the iterable gives them."""
    for one in jobs:
        if isinstance(one, Sequence):
            one = PendingChain(one)
        if isinstance(one, PendingChain):
            links, catch = one.links(app, connection, queue), one.caught(app, connection, queue)
        else:
            links, catch = links_for([pending(one)], app, connection, queue), []
        if links:
            yield Member(tuple(links), tuple(catch))


def begin(
    tally: Tally, id: UUID, plan: Plan, members: Iterable[Member], once: float = 0.0
) -> Batch:
    """Pushes a batch. With `once`, doing so again with the same id and members changes nothing."""
    data = seal(plan, tally.connection.codecs(), id=id, job="batch", at=plan.created)
    tally.store.apply(ledger.begun(id, data))
    try:
        for number, some in enumerate(_portions(members)):
            if once:
                ids = [derived_id(id, f"{number} {place}") for place in range(len(some))]
            else:
                ids = [new_id() for _ in some]
            _push(tally, id, some, ids, number, once)
    except BaseException:
        tally.cancel(id)
        raise
    finally:
        tally.count({id: [Ended(ledger.DISPATCHER, "done")]})
    batch = Batch(tally, id, plan.name, plan.created)
    if tally.app.bus.hears(events.BatchDispatched):
        event = events.BatchDispatched(id=id, name=plan.name, total=batch.total)
        tally.app.bus.emit(event)
    return batch


def add(tally: Tally, id: UUID, jobs: "Iterable[Members]") -> int:
    """Pushes more members into a batch that runs, and says how many."""
    added = 0
    for some in _portions(written(jobs, tally.app, tally.connection, None)):
        _push(tally, id, some, [new_id() for _ in some])
        added += len(some)
    return added


def _push(
    tally: Tally,
    batch: UUID,
    members: Sequence[Member],
    ids: Sequence[UUID],
    number: int | None = None,
    once: float = 0.0,
) -> None:
    """Writes members down, then pushes them, so that none can end before it is counted on."""
    app = tally.app
    names = [ledger.member_of(id, len(one.links)) for id, one in zip(ids, members, strict=True)]
    lines: dict[str, _Line] = {}
    for id, name, one in zip(ids, names, members, strict=True):
        of = Membership(batch, tally.connection.name, name)
        connection, message, groups = first_message(one.links, one.catch, app, id, of, once)
        line = lines.setdefault(connection.name, _Line(connection))
        line.messages.append(message)
        line.jobs.append(one.links[0].job)
        line.members.append(name)
        line.groups += groups
    (answer,) = tally.store.apply([ledger.added(batch, names, number)])
    if answer is None and number is None:
        raise PackhorseError(f"batch {batch} is over, or forgotten; nothing can be added to it")
    skipped: list[Ended] = []
    for line in lines.values():
        if line.groups:
            line.connection.store.apply(line.groups)
        handles = app.send(line.connection, line.messages, line.jobs)
        for handle, message, name in zip(handles, line.messages, line.members, strict=True):
            if handle.id != message.id:
                skipped.append(Ended(name, "dropped"))
    if skipped:
        tally.count({batch: skipped})


class _Line:
    """What goes to one connection."""

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection
        self.messages: list[Message] = []
        self.jobs: list[str] = []
        self.members: list[bytes] = []
        self.groups: list[Group] = []


def _portions(members: Iterable[Member]) -> Iterator[list[Member]]:
    source = iter(members)
    while some := list(islice(source, PORTION)):
        yield some
