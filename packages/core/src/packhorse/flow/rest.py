"""The rest of a chain, as the job that runs sees and changes it."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from packhorse.flow.link import links_for, raw
from packhorse.wire.flow import Chain

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.job import Job
    from packhorse.pending import Pending


class Added(Struct, frozen=True):
    """The links that a job has added, to run next and last, and the connections that they go to."""

    next: tuple[Raw, ...] = ()
    last: tuple[Raw, ...] = ()
    connections: frozenset[str] = frozenset()


class RestOfChain:
    """`ctx.chain`. What a job changes takes effect with its settling, and only if that is its end.

    Its links are pushed like those of `chain`: one that names no connection and no queue goes where
    this job came from.
    """

    def __init__(
        self, app: "Packhorse", chain: Chain, connection: "Connection", queue: str
    ) -> None:
        self._app = app
        self._chain = chain
        self._connection = connection
        self._queue = queue
        self.added = Added()

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
        links, connections = self._written(jobs)
        self.added = Added((*links, *self.added.next), self.added.last, connections)

    def append(self, *jobs: "Job | Pending[Any]") -> None:
        """Lets jobs run last, in this order. Raises `InvalidPayload` for wrong arguments."""
        links, connections = self._written(jobs)
        self.added = Added(self.added.next, (*self.added.last, *links), connections)

    def changed(self) -> Chain:
        """The chain with what was changed; the very same if nothing was."""
        chain, added = self._chain, self.added
        if not (added.next or added.last):
            return chain
        behind = {"last": (*chain.last, *added.last)} if chain.tail else {}
        links = (*added.next, *chain.links, *(() if chain.tail else added.last))
        return msgspec.structs.replace(chain, links=links, **behind)

    def _written(
        self, jobs: "tuple[Job | Pending[Any], ...]"
    ) -> tuple[tuple[Raw, ...], frozenset[str]]:
        """The links, and all connections that added ones go to."""
        from packhorse.flow.chain import as_pending

        app, connection = self._app, self._connection
        pendings = [as_pending(job, app, connection) for job in jobs]
        links = links_for(pendings, app, connection, self._queue)
        return raw(links), self.added.connections | {link.connection for link in links}
