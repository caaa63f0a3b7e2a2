"""What an operator does: cancel, clear, pause and resume, revive and forget."""

from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

import sqlalchemy as sa

from packhorse.plugin import (
    Cancels,
    Clears,
    KeepsDead,
    Message,
    Pauses,
    Rewrites,
    Rewriting,
    Sent,
    State,
)
from packhorse_sql.database import Database
from packhorse_sql.groups import promote
from packhorse_sql.keys import free, hasten
from packhorse_sql.listing import Listing
from packhorse_sql.moments import seconds, span
from packhorse_sql.schema import CANCELLED, LEASED, PARKED
from packhorse_sql.sending import revive, unique_number

STEP = 5_000
"""Rows that one transaction of `clear` removes, so that workers get their turn in between."""


class Control(Listing, Cancels, Clears, Pauses, KeepsDead, Rewrites):
    """Changes made by hand, each in a transaction of its own."""

    _database: Database

    def cancel(self, ids: Sequence[UUID]) -> list[Literal["marked", "leased", "gone"]]:
        messages, sql = self._database.tables.messages, self._database.statements
        rows, now = sql.id_rows, self._database.now()
        find = sa.select(messages.c.id, messages.c.state).join_from(
            rows.source, messages, messages.c.id == rows.c.id
        )

        def work(connection: sa.Connection) -> dict[bytes, int]:
            found: dict[bytes, int] = {}
            for packed in rows.packed([(id.bytes,) for id in ids]):
                found.update((id, state) for id, state in connection.execute(find, packed))
            hasten(connection, sql.keys, found, CANCELLED, now)
            return found

        states = self._database.write(work)
        self._database.dialect.bell.ring()
        names: dict[int | None, Literal["leased", "gone"]] = {None: "gone", LEASED: "leased"}
        return [names.get(states.get(id.bytes), "marked") for id in ids]

    def clear(
        self, queue: str | None, state: State | None = None, older_than: float | None = None
    ) -> int:
        states: list[State] = (
            ["parked", "waiting", "delayed", "leased"] if state is None else [state]
        )
        return sum(self._clear(queue, each, older_than) for each in states)

    def _clear(self, queue: str | None, state: State, older_than: float | None) -> int:
        table, conditions = self._in(state)
        call = unique_number()
        if state != "dead":
            # What this clearing itself lets come, in place of a group's head, stood elsewhere.
            conditions.append(table.c.lease != call)
        if older_than is not None:
            conditions.append(table.c.moment <= self._database.now() - span(older_than))
        names = [queue]
        if queue is None:
            names = [*self._database.read(lambda connection: self._queues(connection, table))]
        removed = 0
        for name in names:
            some = (
                sa.select(table.c.seq)
                .where(table.c.queue == name, *conditions)
                .order_by(table.c.moment, table.c.seq)
                .limit(STEP)
                .subquery()
            )
            chosen = table.c.seq.in_(sa.select(some.c.seq))
            while step := self._remove(table, chosen, call=call):
                removed += step
        return removed

    def _remove(
        self,
        table: sa.Table,
        chosen: sa.ColumnElement[bool],
        packed: Mapping[str, object] = {},
        call: int = 0,
    ) -> int:
        """Removes rows for good; their ids stay known for as long as they asked for."""
        messages, sql = self._database.tables.messages, self._database.statements
        known, now = self._database.tables.known, self._database.now()
        kept = sa.select(table.c.id, table.c.once + now).where(chosen, table.c.once > 0)
        remember = self._database.dialect.replacing(known, ["id", "until"], kept)
        remove = table.delete().where(chosen)
        special = sa.select(
            *(messages.c.id, messages.c.queue, messages.c.state),
            *(messages.c.group_name, messages.c.uniqueness),
        ).where(
            chosen, sa.or_(messages.c.group_name.is_not(None), messages.c.uniqueness.is_not(None))
        )

        def work(connection: sa.Connection) -> int:
            connection.execute(remember, packed)
            if table is not messages:
                return connection.execute(remove, packed).rowcount
            rows = connection.execute(special, packed).all()
            removed = connection.execute(remove, packed).rowcount
            free(connection, sql, [row.id for row in rows if row.uniqueness], now)
            heads = [row for row in rows if row.group_name is not None and row.state != PARKED]
            promote(connection, sql, [(row.queue, row.group_name) for row in heads], call)
            return removed

        return self._database.write(work)

    def pause(self, queue: str, for_: float | None = None) -> None:
        paused = self._database.tables.paused
        until = None if for_ is None else self._database.now() + span(for_)
        row = sa.select(sa.literal(queue), sa.literal(until, sa.BigInteger()))
        statement = self._database.dialect.replacing(paused, ["queue", "until"], row)
        self._database.write(lambda connection: connection.execute(statement))

    def resume(self, queue: str) -> None:
        paused = self._database.tables.paused
        statement = paused.delete().where(paused.c.queue == queue)
        self._database.write(lambda connection: connection.execute(statement))
        self._database.dialect.bell.ring()

    def paused(self) -> dict[str, float | None]:
        paused, now = self._database.tables.paused, self._database.now()
        query = sa.select(paused.c.queue, paused.c.until).where(
            sa.or_(paused.c.until.is_(None), paused.c.until > now)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return {queue: None if until is None else seconds(until - now) for queue, until in rows}

    def revive(self, messages: Sequence[Message]) -> list[Sent]:
        sql, now = self._database.statements, self._database.now
        if not messages:
            return []
        answers = self._database.write(lambda connection: revive(connection, sql, messages, now()))
        self._database.dialect.bell.ring()
        return answers

    def forget(self, ids: Sequence[UUID]) -> int:
        dead, rows = self._database.tables.dead, self._database.statements.id_rows
        chosen = dead.c.id.in_(sa.select(rows.c.id))
        return sum(
            self._remove(dead, chosen, packed)
            for packed in rows.packed([(id.bytes,) for id in ids])
        )

    def rewrite(self, changes: Sequence[Rewriting]) -> int:
        messages, dead = self._database.tables.messages, self._database.tables.dead

        def work(connection: sa.Connection) -> int:
            return sum(_rewrite(connection, messages, dead, change) for change in changes)

        return self._database.write(work)


def _rewrite(
    connection: sa.Connection, messages: sa.Table, dead: sa.Table, change: Rewriting
) -> int:
    live = messages.update().where(
        messages.c.id == change.id.bytes,
        messages.c.body == change.old,
        messages.c.state != LEASED,
    )
    if found := connection.execute(live.values(body=change.new)).rowcount:
        return found
    record = dead.c.record if change.record is None else change.record
    gone = dead.update().where(dead.c.id == change.id.bytes, dead.c.body == change.old)
    return connection.execute(gone.values(body=change.new, record=record)).rowcount
