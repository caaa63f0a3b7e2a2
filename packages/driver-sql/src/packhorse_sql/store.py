"""The SQL store: reads in one or two statements, and each call of `apply` in one transaction."""

from collections.abc import Sequence

import sqlalchemy as sa

from packhorse.plugin import Answers, DriverSetup, Group, Store, Url, Value
from packhorse_sql.database import Database
from packhorse_sql.ledger import Ledger, load
from packhorse_sql.schema import BYTES, NUMBER, SET


class SqlStore(Store):
    """Keeps shared state beside the messages, under the same table prefix."""

    def __init__(self, url: Url, setup: DriverSetup) -> None:
        self._database = Database.open(url, setup)

    def read(self, keys: Sequence[str]) -> list[Value | None]:
        found = self._database.read(lambda connection: self._read(connection, keys))
        return [found.get(key) for key in keys]

    def _read(self, connection: sa.Connection, keys: Sequence[str]) -> dict[str, Value]:
        tables = self._database.tables
        entries = load(connection, self._database, keys, self._database.now()).entries
        sets = [key for key, entry in entries.items() if entry.kind == SET]
        members: dict[str, set[bytes]] = {key: set() for key in sets}
        rows = self._database.statements.key_rows
        query = sa.select(tables.members).where(tables.members.c.key.in_(sa.select(rows.c.key)))
        for packed in rows.packed([(key,) for key in sets]):
            for key, member in connection.execute(query, packed):
                members[key].add(member)
        found: dict[str, Value] = {key: frozenset(each) for key, each in members.items()}
        for key, entry in entries.items():
            if entry.kind == BYTES:
                found[key] = entry.value
            elif entry.kind == NUMBER:
                found[key] = entry.number
        return found

    def apply(self, groups: Sequence[Group]) -> list[Answers | None]:
        """As the contract says; `TypeError`, with nothing done, if a value is of another kind."""
        if not groups:
            return []
        return self._database.write(lambda connection: self._apply(connection, groups))

    def _apply(self, connection: sa.Connection, groups: Sequence[Group]) -> list[Answers | None]:
        keys = {each.key for group in groups for each in (*group.conditions, *group.actions)}
        now = self._database.now()
        loaded = load(connection, self._database, sorted(keys), now)
        ledger = Ledger(connection, self._database, loaded, now)
        answers = [ledger.apply(group) for group in groups]
        ledger.write()
        return answers

    def after_fork(self) -> None:
        self._database.after_fork()

    def close(self) -> None:
        self._database.close()
