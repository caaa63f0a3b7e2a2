"""A chain before it is sent: jobs of which each is pushed by the settling of the one before it."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from packhorse.errors import JobDefinitionError, StoreRequired
from packhorse.flow.chains import PORTION, ChainHandle, portion_key, started
from packhorse.flow.link import links_for, message_of, raw
from packhorse.ids import new_id
from packhorse.job import Job, pending
from packhorse.store.contract import Delete, Group, Put
from packhorse.wire.flow import Chain, Link, Membership, Portion
from packhorse.wire.seal import seal

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.driver.message import Message
    from packhorse.flow.batch import PendingBatch
    from packhorse.pending import Pending


class PendingChain:
    """A chain that is ready to go. Immutable; each dispatch makes a new chain."""

    def __init__(
        self,
        jobs: "Sequence[Job | Pending[Any] | PendingBatch]",
        catch: "Sequence[Pending[Any]]" = (),
        queue: str | None = None,
        connection: str | None = None,
        delay: float | timedelta = 0.0,
    ) -> None:
        if not jobs:
            raise JobDefinitionError("a chain needs at least one job")
        self._jobs = tuple(job if hasattr(job, "then") else pending(job) for job in jobs)
        self._catch = tuple(catch)
        self._queue = queue
        self._connection = connection
        self._delay = delay

    def catch(self, *jobs: "Job | Pending[Any]") -> "PendingChain":
        """With jobs that are pushed once when a link fails for good; `ctx.cause` tells them which."""
        return self._with(catch=(*self._catch, *map(pending, jobs)))

    def using(
        self,
        *,
        queue: str | None = None,
        connection: str | None = None,
        delay: float | timedelta | None = None,
    ) -> "PendingChain":
        """With a queue and a connection for every link that names none; `delay` is the first one's."""
        return self._with(
            queue=queue or self._queue,
            connection=connection or self._connection,
            delay=self._delay if delay is None else delay,
        )

    def dispatch(self) -> ChainHandle:
        """Pushes the first link through the current app; when this returns, the broker has it.

        Raises `InvalidPayload` for arguments of any link that do not fit, `ConnectionLost`.
        """
        from packhorse.current import current_app

        return self.dispatch_on(current_app())

    async def dispatch_async(self) -> ChainHandle:
        """`dispatch` off the event loop."""
        import asyncio

        return await asyncio.to_thread(self.dispatch)

    def dispatch_on(self, app: "Packhorse") -> ChainHandle:
        """`dispatch` through an app."""
        links = self.links(app)
        id = new_id()
        if not links:
            return ChainHandle(app, app.connection(self._connection), id, 0, skipped=True)
        connection, message, groups = first_message(links, self.caught(app), app, id)
        if groups:
            connection.store.apply(groups)
        (handle,) = app.send(connection, [message], [links[0].job])
        if handle.skipped and groups:
            connection.store.apply(unwritten(groups))
        return ChainHandle(app, connection, id, len(links), skipped=handle.skipped)

    def links(
        self,
        app: "Packhorse",
        connection: "Connection | None" = None,
        queue: str | None = None,
    ) -> list[Link]:
        """The links as they are written down; `connection` and `queue` where nobody names any."""
        links = self._written(self._jobs, app, connection, queue)
        if self._delay and links:
            delay = self._delay
            seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
            links[0] = msgspec.structs.replace(links[0], delay=seconds)
        return links

    def caught(
        self,
        app: "Packhorse",
        connection: "Connection | None" = None,
        queue: str | None = None,
    ) -> list[Link]:
        """What is pushed when a link fails for good."""
        return self._written(self._catch, app, connection, queue)

    def _written(
        self,
        jobs: "Iterable[Job | Pending[Any] | PendingBatch]",
        app: "Packhorse",
        connection: "Connection | None",
        queue: str | None,
    ) -> list[Link]:
        on = app.connection(self._connection) if self._connection else connection
        pendings = [as_pending(job, app, on) for job in jobs]
        return links_for(pendings, app, on, self._queue or queue)

    def _with(self, **changes: Any) -> "PendingChain":
        now = {
            "catch": self._catch,
            "queue": self._queue,
            "connection": self._connection,
            "delay": self._delay,
        }
        return PendingChain(self._jobs, **{**now, **changes})

    def __repr__(self) -> str:
        return f"<pending chain of {len(self._jobs)}>"


def first_message(
    links: Sequence[Link],
    catch: Sequence[Link],
    app: "Packhorse",
    id: UUID,
    batch: Membership | None = None,
    once: float = 0.0,
) -> "tuple[Connection, Message, list[Group]]":
    """The first message of a chain, where it goes, and what its connection's store is to keep first.

    Without a store the whole chain travels with its messages; it can then not be found by its id.
    """
    connection = app.connection(links[0].connection)
    try:
        store = connection.store
    except StoreRequired:
        store = None
    near = links[1:] if store is None else links[1 : 1 + PORTION]
    far = links[1 + len(near) :]
    portions = [far[start : start + PORTION] for start in range(0, len(far), PORTION)]
    codecs = connection.codecs(links[0].codecs)
    groups = [
        Group(
            [Put(portion_key(id, number), seal(part, codecs, id=id, job="chain", at=0.0))],
            partition=str(id),
        )
        for number, part in enumerate((Portion(raw(one)) for one in reversed(portions)), 1)
    ]
    if store is not None and batch is None:
        groups.append(started(id, len(links)))
    chain = None
    if batch is None or len(links) > 1 or catch:
        chain = Chain(
            id,
            0,
            raw(near),
            raw(catch),
            len(portions),
            store=connection.name if groups else "",
        )
    return *message_of(links[0], app, id, chain=chain, batch=batch, once=once), groups


def unwritten(groups: Sequence[Group]) -> list[Group]:
    """What undoes the groups of a first message that was not pushed."""
    return [
        Group([Delete(action.key) for action in group.actions], partition=group.partition)
        for group in groups
    ]


def as_pending(
    job: "Job | Pending[Any] | PendingBatch", app: "Packhorse", connection: "Connection | None"
) -> "Pending[Any]":
    """A link as a job; a batch becomes the job that begins it."""
    from packhorse.flow.batch import PendingBatch

    return job.start(app, connection) if isinstance(job, PendingBatch) else pending(job)
