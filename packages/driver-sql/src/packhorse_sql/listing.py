"""What an operator sees: messages by state and page, by id, and the queues that there are."""

import builtins
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from packhorse.plugin import Listed, Lists, Message, State
from packhorse_sql.database import Database
from packhorse_sql.keys import unpacked_unique
from packhorse_sql.moments import seconds
from packhorse_sql.moving import move
from packhorse_sql.schema import CANCELLED, LEASED, PARKED, SUPERSEDED, WAITING


class Listing(Lists):
    """Reads that take what they need from an index, a page at a time."""

    _database: Database

    def list(
        self, queue: str | None, state: State, limit: int, after: UUID | None = None
    ) -> builtins.list[Listed]:
        table, conditions = self._in(state)
        now = self._database.now()

        def work(connection: sa.Connection) -> builtins.list[tuple[tuple[int, int], Listed]]:
            place = self._place(connection, state, after)
            # Queue by queue, since the index orders moments within a queue.
            names = [queue] if queue is not None else self._queues(connection, table)
            return [
                ((row.moment, row.seq), _listed(row, now))
                for name in names
                for row in connection.execute(
                    self._page(state, place).where(table.c.queue == name, *conditions).limit(limit)
                )
            ]

        found = self._database.read(work)
        found.sort(key=lambda each: each[0], reverse=state == "dead")
        return [listed for _, listed in found[:limit]]

    def get(self, ids: Sequence[UUID]) -> builtins.list[Listed | None]:
        rows = self._database.statements.id_rows
        now = self._database.now()

        def work(connection: sa.Connection) -> dict[bytes, Listed]:
            return {
                row.id: _listed(row, now)
                for table in (self._database.tables.messages, self._database.tables.dead)
                for packed in rows.packed([(id.bytes,) for id in ids])
                for row in connection.execute(
                    sa.select(table).join_from(rows.source, table, table.c.id == rows.c.id), packed
                )
            }

        found = self._database.read(work)
        return [found.get(id.bytes) for id in ids]

    def queues(self) -> builtins.list[str]:
        tables = self._database.tables

        def work(connection: sa.Connection) -> set[str]:
            return {
                *self._queues(connection, tables.messages),
                *self._queues(connection, tables.dead),
            }

        return sorted(self._database.read(work))

    def oldest(self, queue: str) -> float | None:
        messages = self._database.tables.messages
        now = self._database.now()
        query = sa.select(sa.func.min(messages.c.moment)).where(
            messages.c.queue == queue, messages.c.state == WAITING, messages.c.moment <= now
        )
        first = self._database.read(lambda connection: connection.scalar(query))
        return None if first is None else seconds(now - first)

    def move(self, ids: Sequence[UUID], queue: str) -> int:
        database, now = self._database, self._database.now
        moved = database.write(
            lambda connection: move(
                connection, database.tables, database.statements, ids, queue, now()
            )
        )
        self._database.dialect.bell.ring()
        return moved

    def _in(self, state: State) -> tuple[sa.Table, builtins.list[sa.ColumnElement[bool]]]:
        """The table that holds a state, and what tells it from the table's others."""
        tables, now = self._database.tables, self._database.now()
        messages = tables.messages
        conditions: dict[State, builtins.list[sa.ColumnElement[bool]]] = {
            "waiting": [messages.c.state == WAITING, messages.c.moment <= now],
            "delayed": [messages.c.state == WAITING, messages.c.moment > now],
            "leased": [messages.c.state == LEASED],
            "parked": [messages.c.state == PARKED],
            "dead": [],
        }
        return tables.dead if state == "dead" else messages, conditions[state]

    def _place(
        self, connection: sa.Connection, state: State, after: UUID | None
    ) -> tuple[int, int] | None:
        """Where the page before ended, if its last message is still in that state."""
        if after is None:
            return None
        table, conditions = self._in(state)
        query = sa.select(table.c.moment, table.c.seq).where(table.c.id == after.bytes, *conditions)
        row = connection.execute(query).one_or_none()
        return None if row is None else (row.moment, row.seq)

    def _page(self, state: State, place: tuple[int, int] | None) -> sa.Select[Any]:
        """Rows of a state in their order, from a place on."""
        table, _ = self._in(state)
        line = sa.tuple_(table.c.moment, table.c.seq)
        if state == "dead":
            page = sa.select(table).order_by(table.c.moment.desc(), table.c.seq.desc())
            return page if place is None else page.where(line < place)
        page = sa.select(table).order_by(table.c.moment, table.c.seq)
        return page if place is None else page.where(line > place)

    @staticmethod
    def _queues(connection: sa.Connection, table: sa.Table) -> builtins.list[str]:
        """The queues that a table holds: from one to the next by the index, never a scan."""
        names: builtins.list[str] = []
        query = sa.select(sa.func.min(table.c.queue))
        name = connection.scalar(query)
        while name is not None:
            names.append(name)
            name = connection.scalar(query.where(table.c.queue > name))
        return names


def _listed(row: sa.Row[Any], now: int) -> Listed:
    """A row of `messages` or `dead` as a listing shows it."""
    fields = row._mapping
    state: State = "dead"
    if "state" in fields:
        due: State = "waiting" if row.moment <= now else "delayed"
        states: dict[int, State] = {LEASED: "leased", PARKED: "parked"}
        state = states.get(row.state, due)
    unique = unpacked_unique(row.uniqueness)
    return Listed(
        Message(
            UUID(bytes=row.id), row.queue, row.body, 0.0, unique, row.group_name, seconds(row.once)
        ),
        state,
        seconds(row.moment),
        row.deliveries,
        row.worker,
        row.marks & CANCELLED != 0,
        fields.get("record"),
        row.marks & SUPERSEDED != 0,
    )
