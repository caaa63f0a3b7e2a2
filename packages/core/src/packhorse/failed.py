"""The failed jobs: dead messages, whole, with what went wrong; looked at, retried or forgotten."""

import heapq
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from packhorse import events
from packhorse.driver.abilities import Clears, KeepsDead, Lists
from packhorse.driver.message import Listed, Message
from packhorse.errors import PackhorseError
from packhorse.wire.envelope import Body, Death, Failure
from packhorse.wire.seal import open_body, open_envelope, seal

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection

PAGE = 500
"""Messages that are looked at in one round trip."""


class FailedJob(Struct, frozen=True):
    """One failed job: what it was, why it died, and each failure that was kept.

    `failed_at` is in seconds since 1970; `body` is the whole message as it was delivered last; `job`
    is "" where that cannot be read.
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
        border = None if after is None else self.get(after)
        found: list[FailedJob] = []
        for connection, driver in self._keepers():
            if border is None or border.connection == connection.name:
                page = driver.list(queue, "dead", limit, after)
                found += [_view(listed, connection) for listed in page]
            else:  # the cursor means nothing to this connection: its moment is the border
                every = (_view(listed, connection) for listed in _dead(driver, queue))
                found += islice((one for one in every if _age(one) < _age(border)), limit)
        return heapq.nlargest(limit, found, key=_age)

    def get(self, id: UUID | str) -> FailedJob | None:
        """The failed job with this id, None if there is none."""
        for connection, driver in self._keepers():
            listed = driver.get([_uuid(id)])[0]
            if listed is not None and listed.state == "dead":
                return _view(listed, connection)
        return None

    def retry(self, ids: "Sequence[UUID | str] | Literal['all']", queue: str | None = None) -> int:
        """Lets failed jobs run again, with fresh counters and their old ids; how many.

        `queue` narrows "all" to the failed jobs of one queue.
        """
        return sum(
            self._retry(connection, driver, ids, queue) for connection, driver in self._keepers()
        )

    def forget(self, id: UUID | str) -> bool:
        """Removes a failed job; False if there is none of that id."""
        found = False
        for connection, _ in self._keepers():
            found |= connection.able(KeepsDead, "keep failed jobs").forget([_uuid(id)]) > 0
        return found

    def flush(self, older_than: float | None = None) -> int:
        """Removes all failed jobs, or those that failed over so many seconds ago; how many."""
        removed = 0
        for connection, _ in self._keepers():
            able = connection.able(Clears, "remove failed jobs")
            removed += able.clear(None, "dead", older_than)
        return removed

    def prune(self, older_than: float) -> int:
        """Removes the failed jobs that failed over so many seconds ago; how many."""
        return self.flush(older_than)

    def count(self, queue: str | None = None) -> int:
        """How many failed jobs there are, on one queue or on all."""
        return sum(1 for _, driver in self._keepers() for _ in _dead(driver, queue))

    def _keepers(self) -> "Iterator[tuple[Connection, Lists]]":
        for name in self._app.connections:
            connection = self._app.connection(name)
            driver: object = connection.driver
            if isinstance(driver, KeepsDead) and isinstance(driver, Lists):
                yield connection, driver

    def _retry(
        self,
        connection: "Connection",
        driver: Lists,
        ids: "Sequence[UUID | str] | Literal['all']",
        queue: str | None,
    ) -> int:
        if isinstance(ids, str):
            # Read first, then revive: reviving while reading would move the pages under the cursor.
            found = list(_dead(driver, queue))
        else:
            some = driver.get([_uuid(id) for id in ids])
            found = [one for one in some if one is not None and one.state == "dead"]
        keeper = connection.able(KeepsDead, "keep failed jobs")
        revived = 0
        for start in range(0, len(found), PAGE):
            messages = [_fresh(one.message, connection) for one in found[start : start + PAGE]]
            for message, answer in zip(messages, keeper.revive(messages), strict=True):
                if answer.state == "stored":
                    revived += 1
                    self._tell(connection, message)
        return revived

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


def _dead(driver: Lists, queue: str | None) -> Iterator[Listed]:
    after = None
    while page := driver.list(queue, "dead", PAGE, after):
        yield from page
        after = page[-1].message.id


def _fresh(message: Message, connection: "Connection") -> Message:
    """The message with fresh counters and, if it had a time limit, as much time as at first.

    What cannot be opened here goes back as it is.
    """
    try:
        envelope = open_envelope(message.body)
        body = open_body(envelope, connection.known_codecs(), Body)
        codecs = connection.codecs(envelope.enc)
    except PackhorseError:
        return msgspec.structs.replace(message, delay=0.0)
    shift = time.time() - envelope.at
    body = msgspec.structs.replace(
        body,
        until=None if body.until is None else body.until + shift,
        expires=None if body.expires is None else body.expires + shift,
        failures=(),
    )
    data = seal(body, codecs, id=envelope.id, job=envelope.job, at=envelope.at)
    return msgspec.structs.replace(message, body=data, delay=0.0)


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
            death = open_body(open_envelope(listed.record), connection.known_codecs(), Death)
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


def _age(one: FailedJob) -> tuple[float, UUID]:
    return one.failed_at, one.id


def _job(body: bytes) -> str:
    try:
        return open_envelope(body).job
    except PackhorseError:
        return ""


def _uuid(id: UUID | str) -> UUID:
    return id if isinstance(id, UUID) else UUID(id)
