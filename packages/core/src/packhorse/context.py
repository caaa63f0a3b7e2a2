"""`JobContext`: what a running job knows of itself, and what it may ask for."""

import contextvars
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from packhorse.errors import JobCancelled
from packhorse.ids import new_id
from packhorse.wire.envelope import Progress

if TYPE_CHECKING:
    from packhorse.flow.batches import Batch
    from packhorse.flow.rest import RestOfChain
    from packhorse.flow.surroundings import Surroundings
    from packhorse.logs import JobLog
    from packhorse.wire.flow import Cause

_current: contextvars.ContextVar["JobContext"] = contextvars.ContextVar("packhorse_job")


class Release(Struct, frozen=True):
    """The job asked to run again in `delay` seconds."""

    delay: float
    why: str = ""


class Fail(Struct, frozen=True):
    """The job asked to be failed for good."""

    reason: str
    error: BaseException | None = None


class Delete(Struct, frozen=True):
    """The job asked to count as done, whatever it returns."""

    why: str = ""


Wish = Release | Fail | Delete


class JobContext:
    """One attempt of one job, as its handler sees it.

    `attempt` is failures + 1; `deliveries` is the broker's count since the message was last written;
    `token` names the lease; `came_with` is what the dispatcher carried, as it travels. The handler's
    own thread or task calls the methods; `cancelled` may be read from any. `ran` says whether the
    handler was started, for middleware that looks back.
    """

    __slots__ = (
        "_arrived",
        "_interruption",
        "_payload",
        "_reserved_at",
        "attempt",
        "came_with",
        "cancelled",
        "connection",
        "deliveries",
        "id",
        "job",
        "masks",
        "may_report",
        "queue",
        "ran",
        "reported",
        "surroundings",
        "tags",
        "token",
        "wish",
        "worker",
    )

    def __init__(
        self,
        id: UUID,
        job: str,
        queue: str,
        connection: str,
        attempt: int = 1,
        deliveries: int = 1,
        token: bytes = b"",
        tags: Sequence[str] = (),
        worker: str = "",
        came_with: Mapping[str, Raw] = {},
        payload: Struct | None = None,
        reserved_at: float | None = None,
        arrived: float | None = None,
        interruption: threading.Event | None = None,
    ) -> None:
        self.id = id
        self.job = job
        self.queue = queue
        self.connection = connection
        self.attempt = attempt
        self.deliveries = deliveries
        self.token = token
        self.tags = tags
        self.worker = worker
        self.came_with = came_with
        self._payload = payload
        self._reserved_at = time.time() if reserved_at is None else reserved_at
        self._arrived = time.monotonic() if arrived is None else arrived
        self._interruption = interruption
        self.masks: tuple[Callable[[str], str], ...] = ()
        self.ran = False
        self.cancelled = False
        self.surroundings: Surroundings | None = None
        self.wish: Wish | None = None
        self.may_report: Callable[[], None] | None = None
        self.reported: tuple[int, Progress] | None = None

    @staticmethod
    def current() -> "JobContext | None":
        """The context of the job that runs in this thread or task, None outside of one."""
        return _current.get(None)

    def release(self, delay: float = 0.0, why: str = "") -> None:
        """Puts the job back for `delay` seconds once the handler has returned; no counter moves.

        `why` is told with the event.
        """
        if not isinstance(self.wish, Fail):
            self.wish = Release(float(delay), why)

    def fail(self, reason: str | BaseException = "failed by the job") -> None:
        """Fails the job for good once the handler has ended, whatever its tries."""
        if isinstance(reason, BaseException):
            self.wish = Fail(str(reason) or type(reason).__name__, reason)
        else:
            self.wish = Fail(str(reason))

    def delete(self, why: str = "") -> None:
        """Counts the job as done once the handler has returned; `why` is told with the event."""
        if self.wish is None:
            self.wish = Delete(why)

    @property
    def interrupted(self) -> bool:
        """Whether the worker was told to end while this job runs; may be read from any thread."""
        return self._interruption is not None and self._interruption.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits so long, or until the worker is told to end; whether it was. Not on an event loop."""
        if self._interruption is None:
            time.sleep(seconds)
            return False
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            # A time-out interrupts a thread only between two waits.
            if self._interruption.wait(min(left, 0.5)):
                return True
        return self._interruption.is_set()

    @property
    def arguments(self) -> Mapping[str, object]:
        """The arguments by their names: of a function as it gets them, of a class its fields."""
        return {} if self._payload is None else msgspec.structs.asdict(self._payload)

    def masked(self, text: str) -> str:
        """A text out of the arguments, as it may stand in the store: hashed if the job is sealed."""
        for mask in self.masks:
            text = mask(text)
        return text

    def now(self) -> float:
        """The present moment by the broker's clock, in seconds since 1970: all workers share it."""
        return self._reserved_at + (time.monotonic() - self._arrived)

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Says how far the job has come, for `handle.progress()`: `done` of `total`.

        It costs next to nothing: the worker writes what was said last, about once a second and at the
        end. Raises `StoreRequired` if there is nowhere to write it. Nothing is written of a job that
        is run where it is dispatched.
        """
        said = Progress(
            float(done), None if total is None else float(total), str(note), time.time()
        )
        if not (math.isfinite(said.done) and math.isfinite(said.total or 0.0)):
            raise ValueError(f"progress is told in numbers, not {done!r} of {total!r}")
        if self.may_report is None:
            return
        if self.reported is None:
            self.may_report()
        number = 1 if self.reported is None else self.reported[0] + 1
        self.reported = number, said

    def raise_if_cancelled(self) -> None:
        """Raises `JobCancelled` once the job was cancelled or its lease is lost, and so ends it."""
        if self.cancelled:
            raise JobCancelled(f"job {self.job} {self.id} was cancelled, or its lease is lost")

    @property
    def carried(self) -> Mapping[str, object]:
        """What travelled with the job, as JSON has it; see `carry`."""
        return decoded(self.came_with)

    @property
    def chain(self) -> "RestOfChain | None":
        """What comes after this job in its chain; None outside of one."""
        return None if self.surroundings is None else self.surroundings.chain()

    @property
    def batch(self) -> "Batch | None":
        """The batch of which this job is a member or a callback; None outside of one.

        Reads its store at first use; in an `async def` job look at it in a thread.
        """
        return None if self.surroundings is None else self.surroundings.batch()

    @property
    def cause(self) -> "Cause | None":
        """The failure for which this callback was pushed; None for any other job."""
        return None if self.surroundings is None else self.surroundings.cause

    @property
    def log(self) -> "JobLog":
        """A logger (`packhorse.job`) whose records have `job`, `id`, `queue` and `attempt` as attributes.

        And, if anything travelled with the job, `carried`, without what is hidden by a name with `_`.
        """
        from packhorse.logs import JobLog  # only here: a process that only dispatches does without

        return JobLog(self)

    def __repr__(self) -> str:
        return f"<context of {self.job} {self.id}, attempt {self.attempt}>"


def decoded(values: Mapping[str, Raw]) -> dict[str, object]:
    """What travelled, as values."""
    return {name: msgspec.json.decode(raw) for name, raw in values.items()}


def detached(job: str) -> JobContext:
    """A context for a job that is called like a function: nothing it asks for has an effect."""
    return JobContext(new_id(), job, queue="", connection="")


def is_context(annotation: object, names: Mapping[str, object]) -> bool:
    """Whether an annotation says `JobContext`, be it as text or under another of a module's `names`."""
    if not isinstance(annotation, str):
        return annotation is JobContext
    # What is imported for type checkers alone can only be told by its name.
    found = names.get(annotation)
    return found is JobContext or (found is None and annotation.split(".")[-1] == "JobContext")


enter = _current.set
leave = _current.reset
