"""The SQL driver: sends, counts, rescues, and opens consumers."""

from collections.abc import Collection, Sequence
from uuid import UUID

import sqlalchemy as sa

from packhorse.plugin import (
    Capabilities,
    Counts,
    Driver,
    DriverSetup,
    Message,
    Migrates,
    Rescues,
    Sent,
    Url,
)
from packhorse_sql.consumer import SqlConsumer
from packhorse_sql.control import Control
from packhorse_sql.database import Database
from packhorse_sql.schema import LEASED, PARKED, WAITING
from packhorse_sql.sending import alone, is_plain, send
from packhorse_sql.settling import held


class SqlDriver(Control, Rescues, Migrates, Driver):
    """Keeps messages in one SQL database."""

    capabilities = Capabilities(
        follow="atomic",
        fencing="broker",
        rewrite="in_place",
        known_ids=True,
        unique=True,
        groups=True,
        counts="exact",
    )

    def __init__(self, database: Database, setup: DriverSetup) -> None:
        self._database = database
        self._setup = setup

    @classmethod
    def open(cls, url: Url, setup: DriverSetup) -> "SqlDriver":
        return cls(Database.open(url, setup), setup)

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        if not messages:
            return []
        sql, now = self._database.statements, self._database.now
        if len(messages) == 1 and is_plain(messages[0]):
            (message,) = messages
            added = self._database.write_one(sql.add_one, lambda: alone(message, now()))
            answers = [Sent(message.id, "stored" if added else "known")]
        else:
            answers = self._database.write(
                lambda connection: send(connection, sql, messages, now())
            )
        self._database.dialect.bell.ring()
        return answers

    def consumer(self, worker: str) -> SqlConsumer:
        return SqlConsumer(self._database, worker, self._setup)

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        messages = self._database.tables.messages
        now = self._database.now()

        def count(*conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
            some = sa.select(messages.c.seq).where(messages.c.queue == queue, *conditions)
            capped = some.limit(cap + 1).subquery()
            return sa.select(sa.func.count()).select_from(capped).scalar_subquery()

        query = sa.select(
            count(messages.c.state == WAITING, messages.c.moment <= now),
            count(messages.c.state == WAITING, messages.c.moment > now),
            count(messages.c.state == LEASED),
            count(messages.c.state == PARKED),
        )
        found = self._database.read(lambda connection: connection.execute(query).one())
        ready, delayed, reserved, parked = (min(number, cap) for number in found)
        return Counts(ready, delayed, reserved, max(found) > cap, parked)

    def rescue(
        self, worker: str, keep: Collection[bytes] = (), blamed: Collection[UUID] | None = None
    ) -> int:
        kept = {held(token) for token in keep}
        started = {id.bytes for id in blamed or ()}
        rescued = self._database.write(
            lambda connection: sum(
                self._rescue(connection, queue, worker, kept, started)
                for queue in self._queues(connection, self._database.tables.messages)
            )
        )
        self._database.dialect.bell.ring()
        return rescued

    def _rescue(
        self,
        connection: sa.Connection,
        queue: str,
        worker: str,
        kept: set[tuple[int, int]],
        started: set[bytes],
    ) -> int:
        """Gives back what a worker holds of one queue."""
        messages, sql = self._database.tables.messages, self._database.statements
        held_rows = connection.execute(
            sa.select(messages.c.seq, messages.c.lease, messages.c.id).where(
                messages.c.queue == queue,
                messages.c.state == LEASED,
                messages.c.worker == worker,
            )
        ).all()
        back = [(seq, lease, id) for seq, lease, id in held_rows if (seq, lease) not in kept]
        counted = [(seq, lease) for seq, lease, id in back if id in started]
        free = [(seq, lease) for seq, lease, id in back if id not in started]
        for statement, rows in ((sql.give_back, free), (sql.give_back_counted, counted)):
            for packed in sql.held_rows.packed(rows):
                statement.run(connection, packed)
        return len(back)

    def migrate(self) -> list[str]:
        found, now = self._database.migrate()
        if found == now:
            return []
        return [f"{self._database.dialect}: tables from version {found} to {now}"]

    def after_fork(self) -> None:
        self._database.after_fork()

    def close(self) -> None:
        self._database.close()
