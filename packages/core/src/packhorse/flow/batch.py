"""A batch before it is sent, and how its members are: jobs that are counted together."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from msgspec import Raw, Struct

from packhorse.flow.batches import Batch
from packhorse.flow.chain import PendingChain
from packhorse.flow.link import links_for, raw
from packhorse.flow.pushing import Member, begin
from packhorse.job import Job, pending
from packhorse.wire.flow import Plan

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.pending import Pending

Members: TypeAlias = (
    "Job | Pending[Any] | PendingChain | PendingBatch | Sequence[Job | Pending[Any] | PendingBatch]"
)
"""A member of a batch: a job, a chain or a batch; a list is a chain."""


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
        members = written(self._jobs, app, self._said(app), self._queue)
        counting = app.connection(self._connection)
        return begin(app.batches.tally(counting.name), self.plan(app), members)

    def plan(self, app: "Packhorse") -> Plan:
        """What the store is to keep of it."""
        connection = self._said(app)

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

        connection = self._said(app) or otherwise
        members = list(written(self._jobs, app, connection, self._queue))
        return start(connection or app.connection(), self.plan(app), members)

    def _said(self, app: "Packhorse") -> "Connection | None":
        """Where members and callbacks go that name no connection; None: where each would go alone."""
        return app.connection(self._connection) if self._connection else None

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


def written(
    jobs: "Iterable[Members]", app: "Packhorse", connection: "Connection | None", queue: str | None
) -> Iterator[Member]:
    """Members as they are written down, one by one as the iterable gives them."""
    for one in jobs:
        if isinstance(one, PendingBatch):
            one = PendingChain([one])
        elif isinstance(one, Sequence):
            one = PendingChain(one)
        if isinstance(one, PendingChain):
            links, catch = one.links(app, connection, queue), one.caught(app, connection, queue)
        else:
            links, catch = links_for([pending(one)], app, connection, queue), []
        if links:
            yield Member(tuple(links), tuple(catch))
