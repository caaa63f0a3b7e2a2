"""The chain, the batch and the cause of a running job, made when the job asks for them."""

from typing import TYPE_CHECKING

from packhorse.flow.rest import RestOfChain
from packhorse.wire.envelope import Body
from packhorse.wire.flow import Cause, Membership, Rest

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.flow.batches import Batch


class Surroundings:
    """What a context knows of the jobs round its own; used by the handler's thread or task."""

    def __init__(self, app: "Packhorse", connection: "Connection", queue: str, body: Body) -> None:
        self._app = app
        self._connection = connection
        self._queue = queue
        self._body = body
        self._rest: RestOfChain | None = None
        self._batch: Batch | None = None
        self.handed_over = False

    @property
    def cause(self) -> Cause | None:
        return self._body.cause

    def hand_over(self) -> Rest:
        """What comes after this job, for somebody else to go on with: its settling leaves that alone."""
        self.handed_over = True
        return Rest(self._body.chain, self._body.batch)

    @property
    def membership(self) -> Membership | None:
        """Of which batch it is, as its message says."""
        return self._body.batch

    @property
    def touched(self) -> RestOfChain | None:
        """The rest of the chain, if the job has looked at it."""
        return self._rest

    def chain(self) -> RestOfChain | None:
        """The rest of the chain; None outside of one."""
        if self._rest is None and self._body.chain is not None:
            self._rest = RestOfChain(self._app, self._body.chain, self._connection, self._queue)
        return self._rest

    def batch(self) -> "Batch | None":
        """The batch, read from its store; None outside of one, or if the store has forgotten it."""
        of = self._body.batch
        if self._batch is None and of is not None:
            from packhorse.flow.batches import Batch

            tally = self._app.batches.tally(of.store)
            (plan,) = tally.look_up([of.id])
            if plan is not None:
                self._batch = Batch(tally, of.id, plan.name, plan.created)
        return self._batch
