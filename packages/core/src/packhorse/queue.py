"""`Queue`: a named line on a connection, to push to, look into and control."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from msgspec import Struct

from packhorse import events
from packhorse.cancelling import cancel
from packhorse.driver.abilities import Clears, Lists
from packhorse.driver.message import Counts, Listed, Message, State, Unique
from packhorse.errors import PackhorseError, StoreRequired
from packhorse.handle import JobHandle
from packhorse.job import pending
from packhorse.pending import Dispatchable
from packhorse.wire.envelope import Body
from packhorse.wire.seal import arguments, is_sealed, open_body, open_envelope

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection

R = TypeVar("R")


class QueuedJob(Struct, frozen=True):
    """A job as a listing shows it.

    `at` is when it was dispatched, `moment` when it falls due or its lease ends, both in seconds
    since 1970. `job` is "" and `arguments` None where the message cannot be read here. Of a `sealed`
    job neither arguments nor tags are shown, though they could be opened. `chain` is the chain whose
    link it is, at that `place` from 0, and `batch` the batch that it belongs to.
    """

    id: UUID
    job: str
    queue: str
    connection: str
    state: State
    at: float
    moment: float
    failed: int
    deliveries: int
    worker: str | None
    cancelled: bool
    tags: tuple[str, ...]
    arguments: str | None
    sealed: bool
    chain: UUID | None = None
    place: int | None = None
    batch: UUID | None = None


class Queue:
    """One queue of one connection. May be used from any thread.

    With the connection's `forward`, pushing goes where the name stands for, and `pause` and
    `resume` mean the whole line; everything else is about the messages under this very name.
    What a broker cannot do raises `Unsupported`; a broker that is away `ConnectionLost`.
    """

    def __init__(self, app: "Packhorse", connection: "Connection", name: str) -> None:
        self._app = app
        self.connection = connection
        self.name = name

    def push(self, job: Dispatchable[R]) -> JobHandle[R]:
        """Pushes a job onto this queue, whatever queue it names."""
        return self._app.push(job, self.connection, self.name)

    def later(self, delay: float | timedelta, job: Dispatchable[R]) -> JobHandle[R]:
        """Pushes a job that falls due in `delay` seconds."""
        return self.push(pending(job).using(delay=delay))

    def push_many(
        self, jobs: Iterable[Dispatchable[R]], *, validate: bool = True
    ) -> list[JobHandle[R]]:
        """Pushes jobs in few round trips; `validate=False` leaves checking arguments to the worker."""
        return self._app.push_many(jobs, self.connection, self.name, validate=validate)

    def push_raw(
        self,
        name: str,
        payload: Mapping[str, object] | bytes | str,
        *,
        delay: float = 0.0,
        unique: Unique | None = None,
    ) -> JobHandle[object]:
        """Pushes a job by its name, which this process need not know; `payload` is its arguments.

        It falls due in `delay` seconds. `unique` needs a key, since the job's own `unique_id` may not
        be known here. Raises `InvalidPayload` if the payload is no JSON object.
        """
        return self._app.push_raw(name, payload, self.connection, self.name, delay, unique)

    def counts(self, cap: int = 10_000) -> Counts:
        """How many messages are ready, delayed, reserved and parked, each up to `cap`."""
        return self.connection.driver.counts(self.name, cap)

    def size(self) -> int:
        """How many messages are ready, delayed, reserved or parked."""
        counts = self.counts(cap=2**62)
        return counts.ready + counts.delayed + counts.reserved + counts.parked

    def oldest_age(self) -> float | None:
        """For how many seconds the first of the ready messages has been due; None if none is."""
        return self.connection.able(Lists, "list messages").oldest(self.name)

    def jobs(
        self, state: State = "waiting", limit: int = 100, after: UUID | None = None
    ) -> list[QueuedJob]:
        """Up to `limit` jobs of a state, soonest first; `after` is the id that the page before ended with."""
        found = self.connection.able(Lists, "list messages").list(self.name, state, limit, after)
        return [self._view(listed) for listed in found]

    def get(self, id: UUID) -> QueuedJob | None:
        """The job with this id, if it is on this queue."""
        found = self.connection.able(Lists, "look up a message").get([id])[0]
        return self._view(found) if found is not None and found.message.queue == self.name else None

    def cancel(self, id: UUID) -> bool:
        """Cancels a job of this queue; False if it is not there. See `JobHandle.cancel`."""
        if self.get(id) is None:
            return False
        return cancel(self.connection, id) != "gone"

    def clear(self) -> int:
        """Removes all messages but the failed jobs, and says how many."""
        count = self.connection.able(Clears, "clear a queue").clear(self.name)
        if not self.connection.driver.capabilities.unique:
            with suppress(StoreRequired):  # then no unique key was ever taken
                self.connection.unique_keys().cleared(self.name)
        if self._app.bus.hears(events.QueueCleared):
            self._app.bus.emit(
                events.QueueCleared(connection=self.connection.name, queue=self.name, count=count)
            )
        return count

    def pause(self, for_: float | timedelta | None = None) -> None:
        """Stops handing out messages, for so many seconds or until `resume`; running jobs go on.

        Where the broker cannot, its store does, and workers learn of it within about ten seconds.
        """
        seconds = for_.total_seconds() if isinstance(for_, timedelta) else for_
        pauses = self.connection.pauses()
        for name in self.connection.line(self.name):
            pauses.pause(name, seconds)
        if self._app.bus.hears(events.QueuePaused):
            self._app.bus.emit(
                events.QueuePaused(connection=self.connection.name, queue=self.name, for_=seconds)
            )

    def resume(self) -> None:
        """Ends a pause."""
        pauses = self.connection.pauses()
        for name in self.connection.line(self.name):
            pauses.resume(name)
        if self._app.bus.hears(events.QueueResumed):
            self._app.bus.emit(
                events.QueueResumed(connection=self.connection.name, queue=self.name)
            )

    def is_paused(self) -> bool:
        """Whether it is paused, by itself or with all queues of its connection."""
        from packhorse.pausing import paused

        self.connection.pauses()  # or it raises
        found = paused(self.connection)
        return found is not None and self.name in found

    def _view(self, listed: Listed) -> QueuedJob:
        return view(listed, self.connection)

    def __repr__(self) -> str:
        return f"<queue {self.name} on {self.connection.name}>"


def view(listed: Listed, connection: "Connection") -> QueuedJob:
    """A listed message, opened as far as this process can and may."""
    message: Message = listed.message
    job, at, failed = "", 0.0, 0
    tags: tuple[str, ...] = ()
    text: str | None = None
    sealed = False
    chain, batch = None, None
    try:
        envelope = open_envelope(message.body)
        job, at, failed = envelope.job, envelope.at, envelope.failed
        codecs = connection.known_codecs()
        sealed = is_sealed(envelope, codecs)
        if not sealed:
            body = open_body(envelope, codecs, Body)
            chain, batch = body.chain, body.batch
            tags, text = body.tags, arguments(body).decode()
    except (PackhorseError, UnicodeDecodeError):
        pass  # shown without what cannot be read
    return QueuedJob(
        message.id,
        job,
        message.queue,
        connection.name,
        listed.state,
        at,
        listed.moment,
        failed,
        listed.deliveries,
        listed.worker,
        listed.cancelled,
        tags,
        text,
        sealed,
        None if chain is None else chain.id,
        None if chain is None else chain.place,
        None if batch is None else batch.id,
    )
