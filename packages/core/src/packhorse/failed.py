"""The failed jobs: dead messages, whole, with what went wrong; looked at, retried or forgotten."""

import heapq
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from msgspec import Struct

from packhorse import events
from packhorse.driver.abilities import Buries, KeepsDead
from packhorse.driver.message import Listed, Message
from packhorse.errors import PackhorseError, StoreRequired
from packhorse.flow.again import fail_again, reopen
from packhorse.graveyard import PAGE, Graveyard, buries, graveyard
from packhorse.sending import tell_keys
from packhorse.wire.envelope import Body, Death, Envelope, Failure
from packhorse.wire.flow import Membership
from packhorse.wire.seal import is_sealed, open_body, open_envelope, recount, seal

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.wire.codec import Codec
    from packhorse.wire.flow import Membership


class FailedJob(Struct, frozen=True):
    """One failed job: what it was, why it died, and each failure that was kept.

    `failed_at` is in seconds since 1970; `body` is the whole message as it was delivered last; `job`
    is "" where that cannot be read. Where a codec seals, `reason` and the types of the failures are
    "sealed", and their texts are empty.
    """

    id: UUID
    job: str
    queue: str
    connection: str
    failed_at: float
    reason: str
    failures: tuple[Failure, ...]
    worker: str
    body: bytes


class FailedJobs:
    """The failed jobs of all connections that keep them. May be used from any thread.

    Ids may be given as UUIDs or as text. A broker that is away raises `ConnectionLost`.
    """

    def __init__(self, app: "Packhorse") -> None:
        self._app = app

    def list(
        self, limit: int = 100, after: UUID | None = None, queue: str | None = None
    ) -> list[FailedJob]:
        """Up to `limit` failed jobs, newest first; `after` is the id that the page before ended with."""
        border = None if after is None else self._find(after)
        pages: list[list[tuple[Listed, Connection]]] = []
        behind = False  # of two that died in the same moment, the first connection's comes first
        for connection, graves in self._graveyards():
            if border is None or border[1] is connection:
                page: Iterable[Listed] = graves.list(queue, limit, after)
                behind = True
            else:  # the cursor means nothing to this connection: its moment is the border
                page = islice(_older(graves.every(queue), border[0].moment, behind), limit)
            pages.append([(listed, connection) for listed in page])
        merged = heapq.merge(*pages, key=lambda one: one[0].moment, reverse=True)
        return [_view(*one) for one in islice(merged, limit)]

    def get(self, id: UUID | str) -> FailedJob | None:
        """The failed job with this id, None if there is none."""
        found = self._find(id)
        return None if found is None else _view(*found)

    def retry(
        self,
        ids: "UUID | str | Sequence[UUID | str]",
        queue: str | None = None,
    ) -> int:
        """Lets failed jobs run again, with fresh counters and their old ids; how many.

        `ids` is one, some, in whose order they go, or "all", the oldest first; `queue` narrows them to
        the failed jobs of one queue. One whose unique key another has meanwhile stays where it is, and
        a `UniqueJobSkipped` tells which that is and who has its key. Those that a broker without a store
        has buried come with "all" alone, and get one more try.
        """
        if ids == "all":
            retried = sum(self._retry_all(*each, queue) for each in self._graveyards())
            return retried + sum(driver.exhume(queue) for driver in self._burying())
        wanted = [_uuid(id) for id in ([ids] if isinstance(ids, str | UUID) else ids)]
        retried = 0
        for connection, graves in self._graveyards():
            found = [one for one in graves.get(wanted) if one is not None]
            some = [one for one in found if queue in (None, one.message.queue)]
            retried += self._revive(connection, graves, some)
        return retried

    def forget(self, id: UUID | str) -> bool:
        """Removes a failed job; False if there is none of that id."""
        return any(graves.forget([_uuid(id)]) for _, graves in self._graveyards())

    def flush(self, older_than: float | None = None) -> int:
        """Removes all failed jobs, or those that failed over so many seconds ago; how many."""
        return sum(graves.clear(older_than) for _, graves in self._graveyards())

    def prune(self, older_than: float) -> int:
        """Removes the failed jobs that failed over so many seconds ago; how many."""
        return self.flush(older_than)

    def count(self, queue: str | None = None) -> int:
        """How many failed jobs there are, on one queue or on all."""
        listed = sum(1 for _, graves in self._graveyards() for _ in graves.every(queue))
        return listed + sum(driver.buried(queue) for driver in self._burying())

    def _graveyards(self) -> "Iterator[tuple[Connection, Graveyard]]":
        for name in self._app.connections:
            connection = self._app.connection(name)
            driver = connection.driver
            if driver.borrowed and isinstance(driver, KeepsDead):
                continue  # what it keeps is listed where it belongs
            with suppress(StoreRequired):  # nothing of this connection can have been kept
                yield connection, graveyard(connection)

    def _burying(self) -> Iterator[Buries]:
        for name in self._app.connections:
            if (driver := buries(self._app.connection(name))) is not None:
                yield driver

    def _find(self, id: UUID | str) -> "tuple[Listed, Connection] | None":
        for connection, graves in self._graveyards():
            listed = graves.get([_uuid(id)])[0]
            if listed is not None:
                return listed, connection
        return None

    def _retry_all(self, connection: "Connection", graves: Graveyard, queue: str | None) -> int:
        """The oldest first. What is revived leaves the listing, so that is read before."""
        ids = [one.message.id for one in graves.every(queue)][::-1]
        pages = (graves.get(ids[start : start + PAGE]) for start in range(0, len(ids), PAGE))
        return sum(
            self._revive(connection, graves, [one for one in page if one is not None])
            for page in pages
        )

    def _revive(self, connection: "Connection", graves: Graveyard, dead: "Sequence[Listed]") -> int:
        messages = [_fresh(one.message, connection) for one in dead]
        members = self._reopen(connection, messages)
        answers = graves.revive(messages) if messages else []
        revived = [
            message
            for message, answer in zip(messages, answers, strict=True)
            if answer.state == "stored"
        ]
        for message in revived:
            members.pop(message.id, None)
            self._tell(connection, message)
        tell_keys(self._app.bus, connection.name, messages, answers)
        if members:
            fail_again(self._app, members.values())
        return len(revived)

    def _reopen(
        self, connection: "Connection", messages: Sequence[Message]
    ) -> "dict[UUID, Membership]":
        """Lets batches wait again for members that failed, and chains be known again as running."""
        bodies: dict[UUID, Body] = {}
        for message in messages:
            with suppress(PackhorseError):  # a batch that it belongs to hears of it by a sweep
                opened = open_body(open_envelope(message.body), connection.known_codecs(), Body)
                if opened.chain is not None or opened.batch is not None:
                    bodies[message.id] = opened
        return reopen(self._app, bodies) if bodies else {}

    def _tell(self, connection: "Connection", message: Message) -> None:
        if self._app.bus.hears(events.JobRetryRequested):
            self._app.bus.emit(
                events.JobRetryRequested(
                    id=message.id,
                    job=_job(message.body),
                    queue=message.queue,
                    connection=connection.name,
                )
            )


def _older(every: Iterable[Listed], moment: float, or_as_old: bool) -> Iterator[Listed]:
    return (one for one in every if one.moment < moment or (or_as_old and one.moment == moment))


def _fresh(message: Message, connection: "Connection") -> Message:
    """The message with fresh counters and, if it had a time limit, as much time as at first.

    What cannot be opened here goes back as it is, but for the counters that are in clear.
    """
    try:
        envelope = open_envelope(message.body)
    except PackhorseError:
        return msgspec.structs.replace(message, delay=0.0)
    try:
        body = open_body(envelope, connection.known_codecs(), Body)
        codecs = connection.codecs(envelope.enc)
    except PackhorseError:
        data = recount(envelope, failed=0, lost=0, unknown=0)
        return msgspec.structs.replace(message, body=data, delay=0.0)
    now = time.time()
    shift = now - envelope.at
    unique = None if body.unique is None else body.unique.unique
    body = msgspec.structs.replace(
        body,
        unique=connection.claim(unique),
        until=None if body.until is None else body.until + shift,
        expires=None if body.expires is None else body.expires + shift,
        failures=(),
    )
    data = seal(body, codecs, id=envelope.id, job=envelope.job, at=now)
    unique = message.unique if unique is None else unique
    return msgspec.structs.replace(message, body=data, delay=0.0, unique=unique)


def _view(listed: Listed, connection: "Connection") -> FailedJob:
    death = Death(
        "unknown: the record cannot be read",
        connection.name,
        listed.message.queue,
        "",
        listed.moment,
    )
    if listed.record is not None:
        try:
            death = _opened(open_envelope(listed.record), connection.known_codecs())
        except PackhorseError as error:
            death = msgspec.structs.replace(death, reason=f"the record cannot be read: {error}")
    return FailedJob(
        listed.message.id,
        _job(listed.message.body),
        listed.message.queue,
        connection.name,
        death.failed_at,
        death.reason,
        death.failures,
        death.worker,
        listed.message.body,
    )


def _opened(record: Envelope, codecs: "Mapping[str, Codec]") -> Death:
    """A dead message's record, without the texts that were sealed."""
    death = open_body(record, codecs, Death)
    if not is_sealed(record, codecs):
        return death
    failures = tuple(
        msgspec.structs.replace(one, type="sealed", message="", traceback="")
        for one in death.failures
    )
    return msgspec.structs.replace(death, reason="sealed", failures=failures)


def _job(body: bytes) -> str:
    try:
        return open_envelope(body).job
    except PackhorseError:
        return ""


def _uuid(id: UUID | str) -> UUID:
    return id if isinstance(id, UUID) else UUID(id)
