"""`JobHandle`: a job that was dispatched, seen from where it was dispatched."""

from typing import TYPE_CHECKING, Literal
from uuid import UUID

from packhorse.driver.abilities import Cancels, Lists

if TYPE_CHECKING:
    from packhorse.connection import Connection

HandleState = Literal["waiting", "delayed", "leased", "parked", "dead", "gone", "vetoed"]


class JobHandle:
    """Knows where a job went; asks the broker about it. May be used from any thread.

    `vetoed` says that it went nowhere, because its `prepare_for_dispatch` said no.
    """

    __slots__ = ("_connection", "id", "job", "queue", "vetoed")

    def __init__(
        self, connection: "Connection", id: UUID, job: str, queue: str, vetoed: bool = False
    ) -> None:
        self._connection = connection
        self.id = id
        self.job = job
        self.queue = queue
        self.vetoed = vetoed

    @property
    def connection(self) -> str:
        """The name of the connection that the job went to."""
        return self._connection.name

    def state(self) -> HandleState:
        """Where the job stands; "gone": it is done, or was never there; "vetoed": it was not pushed.

        Raises `Unsupported` if the broker cannot tell.
        """
        if self.vetoed:
            return "vetoed"
        found = self._connection.able(Lists, "look up a message").get([self.id])[0]
        return "gone" if found is None else found.state

    def cancel(self) -> bool:
        """Cancels the job; False if it is gone, dead or vetoed already.

        What waits is not run; a job that runs is told. Raises `Unsupported` if the broker cannot.
        """
        if self.vetoed:
            return False
        return self._connection.able(Cancels, "cancel a message").cancel([self.id])[0] != "gone"

    def __repr__(self) -> str:
        vetoed = ", vetoed" if self.vetoed else ""
        return f"<{self.job} {self.id} on {self._connection.name}/{self.queue}{vetoed}>"
