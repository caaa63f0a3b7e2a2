"""`JobHandle`: a job that was dispatched, seen from where it was dispatched."""

import time
from typing import TYPE_CHECKING, Generic, Literal, TypeVar
from uuid import UUID

from packhorse.cancelling import cancel
from packhorse.driver.abilities import Lists
from packhorse.errors import NoResult, Unsupported

if TYPE_CHECKING:
    from packhorse.connection import Connection
    from packhorse.wire.envelope import Progress

HandleState = Literal["waiting", "delayed", "leased", "parked", "dead", "gone", "vetoed"]


R_co = TypeVar("R_co", covariant=True)

FIRST_PAUSE, GROWTH, LONGEST_PAUSE = 0.02, 1.5, 0.5
"""Seconds between two looks for a result: the first, by how much they grow, and the longest."""


class JobHandle(Generic[R_co]):
    """Knows where a job went; asks the broker about it. May be used from any thread.

    `vetoed` says that it went nowhere, because its `prepare_for_dispatch` said no; `skipped`, that
    its unique key was taken: this is the handle of the job that holds it. `job` and `queue` are "" if
    only the id was known. `keeps_result` is None where that is not known.
    """

    __slots__ = ("_connection", "id", "job", "keeps_result", "queue", "skipped", "vetoed")

    def __init__(
        self,
        connection: "Connection",
        id: UUID,
        job: str = "",
        queue: str = "",
        *,
        vetoed: bool = False,
        skipped: bool = False,
        keeps_result: bool | None = None,
    ) -> None:
        self._connection = connection
        self.id = id
        self.job = job
        self.queue = queue
        self.vetoed = vetoed
        self.keeps_result = keeps_result
        self.skipped = skipped

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
        return cancel(self._connection, self.id) != "gone"

    def progress(self) -> "Progress | None":
        """What the job said last of how far it has come; None if it said nothing.

        It is kept for a day. Raises `StoreRequired` where no store keeps any.
        """
        from packhorse.result import last_progress

        return None if self.vetoed else last_progress(self._connection, self.id)

    def result(self, timeout: float | None = None) -> R_co:
        """Waits for the job to be over, up to `timeout` seconds, and gives what its handler returned.

        For jobs with `keep_result`; others raise `NoResult`. Raises `JobFailedError` if it has
        failed for good, `JobCancelled` if it was cancelled or dropped, `TimeoutError`.
        """
        waiting = _Waiting(timeout)
        while (found := self._look()) is None:
            time.sleep(waiting.pause(self))
        return found[0]

    async def result_async(self, timeout: float | None = None) -> R_co:
        """`result` off the event loop."""
        import asyncio

        waiting = _Waiting(timeout)
        while (found := await asyncio.to_thread(self._look)) is None:
            await asyncio.sleep(waiting.pause(self))
        return found[0]

    def _look(self) -> tuple[R_co] | None:
        """The result, None if there is none yet."""
        from packhorse.result import look, no_result

        if self.vetoed:
            raise NoResult(f"job {self.job} {self.id}: it was not pushed, so it has no result")
        if self.keeps_result is False:
            raise no_result(self.job, self.id)
        found = look(self._connection, self.id, asked=self.keeps_result is True)
        self.keeps_result = True
        return found

    def __repr__(self) -> str:
        pushed = ", vetoed" if self.vetoed else ", skipped" if self.skipped else ""
        return f"<{self.job} {self.id} on {self._connection.name}/{self.queue}{pushed}>"


class _Waiting:
    """How long to wait between two looks, and in all."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._end = None if timeout is None else time.monotonic() + timeout
        self._pause = FIRST_PAUSE

    def pause(self, handle: JobHandle[object]) -> float:
        """Seconds until the next look; raises `TimeoutError` when the time is over."""
        pause = self._pause
        self._pause = min(pause * GROWTH, LONGEST_PAUSE)
        if self._end is None:
            return pause
        left = self._end - time.monotonic()
        if left <= 0:
            try:
                state = f"it is {handle.state()}"
            except Unsupported:
                state = "it is not over, or no worker has taken it yet"
            raise TimeoutError(
                f"job {handle.job} {handle.id}: no result in {self._timeout:g} s; {state}"
            )
        return min(pause, left)
