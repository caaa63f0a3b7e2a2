"""The rest of a chain, as the job that runs sees and changes it."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from msgspec import Raw

from packhorse.flow.link import links_for, raw
from packhorse.wire.flow import Chain

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.job import Job
    from packhorse.pending import Pending


class RestOfChain:
    """`ctx.chain`. What a job changes takes effect with its settling, and only if that is its end.

    Its links are pushed like those of `chain`: one that names no connection and no queue goes where
    this job came from. `connections` are those that the added links go to.
    """

    def __init__(
        self, app: "Packhorse", chain: Chain, connection: "Connection", queue: str
    ) -> None:
        self._app = app
        self._chain = chain
        self._connection = connection
        self._queue = queue
        self._next: tuple[Raw, ...] = ()
        self._last: tuple[Raw, ...] = ()
        self.connections: set[str] = set()

    @property
    def id(self) -> UUID:
        """The chain's id, for `app.chains.find`."""
        return self._chain.id

    @property
    def place(self) -> int:
        """This job's place, from 0."""
        return self._chain.place

    def prepend(self, *jobs: "Job | Pending[Any]") -> None:
        """Lets jobs run next, in this order. Raises `InvalidPayload` for wrong arguments."""
        self._next = (*self._written(jobs), *self._next)

    def append(self, *jobs: "Job | Pending[Any]") -> None:
        """Lets jobs run last, in this order. Raises `InvalidPayload` for wrong arguments."""
        self._last = (*self._last, *self._written(jobs))

    def changed(self) -> Chain:
        """The chain with what was changed; the very same if nothing was."""
        chain = self._chain
        if not (self._next or self._last):
            return chain
        behind = {"last": (*chain.last, *self._last)} if chain.tail else {}
        links = (*self._next, *chain.links, *(() if chain.tail else self._last))
        return msgspec.structs.replace(chain, links=links, **behind)

    def _written(self, jobs: "tuple[Job | Pending[Any], ...]") -> tuple[Raw, ...]:
        from packhorse.flow.chain import as_pending

        app, connection = self._app, self._connection
        pendings = [as_pending(job, app, connection) for job in jobs]
        links = links_for(pendings, app, connection, self._queue)
        self.connections |= {link.connection for link in links}
        return raw(links)
