"""Reserving, renewing and settling for one worker."""

import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import sqlalchemy as sa

from packhorse.plugin import (
    CANCELLED,
    LOST,
    Consumer,
    Delivery,
    DriverSetup,
    Message,
    Outcome,
    Renewed,
    Reserved,
    Settled,
)
from packhorse_sql.database import Database
from packhorse_sql.dialect import Claim, Claimed
from packhorse_sql.keys import free, unpacked_unique
from packhorse_sql.moments import seconds, span
from packhorse_sql.schema import CANCELLED as CANCELLED_MARK
from packhorse_sql.schema import LEASED, SUPERSEDED, WAITING
from packhorse_sql.sending import unique_number
from packhorse_sql.settling import current, settle, token

TICK = 0.015
"""Seconds between two looks at whether other processes have committed anything: what they send is
started within 20 ms, and waking up so often takes half a per cent of a core."""


class Seen(NamedTuple):
    """What a look at the asked queues showed."""

    ready: list[tuple[str, int]]
    """Queues and states that have something to claim, in the order of preference."""
    next: int | None
    """When more falls due, or a lease ends."""
    paused: frozenset[str]
    resumes: int | None
    """When a pause ends."""


class SqlConsumer(Consumer):
    """One worker's side of the driver."""

    def __init__(self, database: Database, worker: str, setup: DriverSetup) -> None:
        self._database = database
        self._bell = database.dialect.bell
        self._worker = worker
        self._lease = setup.lease
        self._clock = setup.clock
        self._woken = False
        self._closed = False

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        end = time.monotonic() + wait
        since: tuple[int, int | None] | None = None
        while True:
            seen = self._look(queues)
            deliveries = self._claim(seen, limit) if seen.ready and limit > 0 else []
            over = deliveries or self._woken or self._closed or time.monotonic() >= end
            if over or (since is not None and not self._wait(end, since, seen)):
                if not deliveries:
                    self._woken = False
                return Reserved(deliveries, self._until(seen.next), seen.paused)
            # What happens between this and the next look is seen by either; a busy worker that
            # never waits does without.
            since = self._bell.count, self._database.changes()

    def _look(self, queues: Sequence[str]) -> Seen:
        """A read alone: an idle worker must not take the write lock."""
        sql = self._database.statements
        now = self._database.now()
        rows = self._database.read(
            lambda connection: [
                row
                for packed in sql.queue_rows.packed([(queue,) for queue in dict.fromkeys(queues)])
                for row in sql.look.run(connection, {"now": now, **packed}).fetchall()
            ]
        )
        ready: list[tuple[str, int]] = []
        moments: list[int] = []
        paused: set[str] = set()
        resumes: list[int] = []
        by_queue = {row[0]: row for row in rows}
        for queue in dict.fromkeys(queues):
            _, ended, due, ends, falls_due, is_paused, until = by_queue[queue]
            if is_paused:
                paused.add(queue)
                resumes += [] if until is None else [until]
                continue
            ready += [(queue, LEASED)] if ended is not None else []
            ready += [(queue, WAITING)] if due is not None else []
            moments += [moment for moment in (ends, falls_due) if moment is not None]
        return Seen(
            ready, min(moments, default=None), frozenset(paused), min(resumes, default=None)
        )

    def _claim(self, seen: Seen, limit: int) -> list[Delivery]:
        return self._database.write(lambda connection: self._take(connection, seen, limit))

    def _take(self, connection: sa.Connection, seen: Seen, limit: int) -> list[Delivery]:
        dialect, tables = self._database.dialect, self._database.tables
        # Within the transaction, so that waiting for it costs nothing of the lease.
        deadline = self._clock.monotonic() + self._lease
        now = self._database.now()
        until = now + span(self._lease)
        deliveries: list[Delivery] = []
        for queue, state in seen.ready:
            left = limit - len(deliveries)
            if not left:
                break
            claim = Claim(queue, state, now, until, unique_number(), self._worker, left)
            deliveries += _deliveries(dialect.claim(connection, tables, claim), claim, deadline)
        freed = [
            each.message.id.bytes
            for each in deliveries
            if each.message.unique is not None and each.message.unique.until == "reserved"
        ]
        free(connection, self._database.statements, freed, now)
        return deliveries

    def _wait(self, end: float, since: tuple[int, int | None], seen: Seen) -> bool:
        """Waits until another look is worth it; False if there is no time left for that."""
        rung, changes = since
        moments = [moment for moment in (seen.next, seen.resumes) if moment is not None]
        next_moment = min(moments, default=None)
        now = self._database.now
        with self._bell.heard(rung) as heard, self._database.watching() as changed:
            while (left := end - time.monotonic()) > 0:
                tick = min(TICK, left)
                if next_moment is not None:
                    tick = min(tick, max(0.0, seconds(next_moment - now())))
                if heard.acquire(True, tick) or changed() != changes:
                    return True
                if next_moment is not None and now() >= next_moment:
                    return True
        return False

    def _until(self, moment: int | None) -> float | None:
        if moment is None:
            return None
        return max(0.0, seconds(moment - self._database.now()))

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        if not outcomes:
            return []
        # Later by one, since what is retried now goes behind what was sent in the same microsecond.
        now = partial(self._database.now, later_by=1)
        sql = self._database.statements
        answers = self._database.write(lambda connection: settle(connection, sql, outcomes, now()))
        self._bell.ring()
        return answers

    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        if not deliveries:
            return []
        return self._database.write(lambda connection: self._renew(connection, deliveries))

    def _renew(self, connection: sa.Connection, deliveries: Sequence[Delivery]) -> list[Renewed]:
        sql = self._database.statements
        tokens = current(connection, sql, deliveries)
        deadline = self._clock.monotonic() + self._lease
        until = self._database.now() + span(self._lease)
        cancelled: set[int] = set()
        for packed in sql.held_rows.packed([each for each in tokens if each is not None]):
            sql.renew.run(connection, {"until": until, **packed})
            cancelled.update(seq for (seq,) in sql.cancelled.run(connection, packed).fetchall())
        return [
            LOST if each is None else CANCELLED if each[0] in cancelled else deadline
            for each in tokens
        ]

    def wake(self) -> None:
        self._woken = True
        self._bell.ring()

    def close(self) -> None:
        self._closed = True
        self._bell.ring()


def _deliveries(rows: list[Claimed], claim: Claim, deadline: float) -> list[Delivery]:
    queue, lease, reserved_at = claim.queue, claim.lease, seconds(claim.now)
    return [
        Delivery(
            Message(
                row.id,
                queue,
                row.body,
                0.0,
                None if row.uniqueness is None else unpacked_unique(row.uniqueness),
                row.group,
                row.once and seconds(row.once),
            ),
            token(row.seq, lease),
            row.deliveries,
            reserved_at,
            deadline,
            None,
            row.marks & CANCELLED_MARK != 0,
            row.marks & SUPERSEDED != 0,
        )
        for row in rows
    ]
