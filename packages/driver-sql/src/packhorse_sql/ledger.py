"""The keys that one call of `apply` touches: loaded once, changed here, written back once.

All that concerns a key's own row is decided in memory, between a read and a write within one
transaction; only members of sets, which may be many, are looked for and changed where they are.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace

from packhorse.plugin import (
    Absent,
    Action,
    AddMembers,
    Answers,
    Condition,
    Delete,
    Equals,
    Expire,
    Group,
    Has,
    Increment,
    Older,
    Put,
    RemoveMembers,
)
from packhorse_sql.database import Database
from packhorse_sql.moments import span
from packhorse_sql.prepared import Prepared
from packhorse_sql.schema import BYTES, NUMBER, SET


class Entry(Struct, frozen=True):
    """One key's row. `number`: an integer's value, or how many members a set has."""

    kind: int
    value: bytes = b""
    number: int = 0
    until: int | None = None


class Loaded(Struct, frozen=True):
    """What was found under some keys: what lives, and which were sets, over or not."""

    entries: dict[str, Entry]
    sets: set[str]


def load(connection: sa.Connection, database: Database, keys: Iterable[str], now: int) -> Loaded:
    """The rows of these keys."""
    entries: dict[str, Entry] = {}
    sets: set[str] = set()
    for key, kind, value, number, until in database.dialect.entries(
        connection, database.tables, keys
    ):
        if kind == SET:
            sets.add(key)
        if until is None or until > now:
            entries[key] = Entry(kind, value, number, until)
    return Loaded(entries, sets)


class Ledger:
    """Applies groups to the loaded entries, in order."""

    def __init__(
        self,
        connection: sa.Connection,
        database: Database,
        loaded: Loaded,
        now: int,
    ) -> None:
        self._connection = connection
        self._database = database
        self._entries = loaded.entries
        self._sets = loaded.sets
        self._changed: set[str] = set()
        self._now = now

    def apply(self, group: Group) -> Answers | None:
        """Carries out a group if its conditions hold."""
        for condition in group.conditions:
            if not self._holds(condition):
                return None
        return tuple([self._act(action) for action in group.actions])

    def write(self) -> None:
        """Writes every changed entry back."""
        sql = self._database.statements
        kept, other, gone = [], [], []
        for key in self._changed:
            entry = self._entries.get(key)
            if entry is None:
                gone.append((key,))
            else:
                kept.append((key, entry.kind, entry.value, entry.number, entry.until))
            if key in self._sets and (entry is None or entry.kind != SET):
                other.append((key,))
        for statement, rows, values in (
            (sql.put_entries, sql.entry_rows, kept),
            (sql.remove_entries, sql.key_rows, gone),
            (sql.remove_sets, sql.key_rows, other),
        ):
            for packed in rows.packed(values):
                statement.run(self._connection, packed)

    def _holds(self, condition: Condition) -> bool:
        entry = self._entries.get(condition.key)
        if isinstance(condition, Has):
            return entry is not None and entry.kind == SET and self._has(condition)
        return _holds(condition, entry)

    def _has(self, condition: Has) -> bool:
        of = {"of_key": condition.key, "of_member": condition.member}
        found = self._database.statements.has_member.run(self._connection, of).fetchone()
        return found is not None

    def _act(self, action: Action) -> int | None:
        if isinstance(action, Put):
            self._set(action.key, Entry(BYTES, action.value, until=self._end(action.ttl)))
        elif isinstance(action, Delete):
            self._set(action.key, None)
        elif isinstance(action, Expire):
            entry = self._entries.get(action.key)
            if entry is not None:
                self._set(action.key, replace(entry, until=self._end(action.ttl)))
        elif isinstance(action, Increment):
            return self._increment(action)
        elif isinstance(action, AddMembers):
            return self._add(action)
        else:
            return self._remove(action)
        return None

    def _increment(self, action: Increment) -> int:
        entry = self._find(action, NUMBER)
        if entry is None:
            entry = Entry(NUMBER, until=self._end(action.ttl))
        self._set(action.key, replace(entry, number=entry.number + action.by))
        return entry.number + action.by

    def _add(self, action: AddMembers) -> int:
        entry, sql = self._find(action, SET), self._database.statements
        if entry is None:
            # Members may be left of a set whose time is over.
            for packed in sql.key_rows.packed([(action.key,)]):
                sql.remove_sets.run(self._connection, packed)
            entry = Entry(SET)
            self._sets.add(action.key)
        new = self._each_member(sql.add_members, action)
        until = entry.until if action.ttl is None else self._end(action.ttl)
        if entry.number + new:
            self._set(action.key, replace(entry, number=entry.number + new, until=until))
        return new

    def _remove(self, action: RemoveMembers) -> int:
        entry = self._find(action, SET)
        if entry is None:
            return 0
        left = entry.number - self._each_member(self._database.statements.remove_members, action)
        self._set(action.key, replace(entry, number=left) if left else None)
        return left

    def _each_member(self, statement: Prepared, action: AddMembers | RemoveMembers) -> int:
        """How many members a statement touched."""
        rows = self._database.statements.member_rows
        return sum(
            statement.run(self._connection, {"of_key": action.key, **packed}).rowcount
            for packed in rows.packed([(member,) for member in action.members])
        )

    def _find(self, action: Increment | AddMembers | RemoveMembers, kind: int) -> Entry | None:
        entry = self._entries.get(action.key)
        if entry is not None and entry.kind != kind:
            raise TypeError(
                f"{type(action).__name__} on the store's key {action.key!r}, which holds "
                f"{_NAMES[entry.kind]}: use another key"
            )
        return entry

    def _set(self, key: str, entry: Entry | None) -> None:
        self._changed.add(key)
        if entry is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = entry

    def _end(self, ttl: float | None) -> int | None:
        return None if ttl is None else self._now + span(ttl)


_NAMES = {BYTES: "bytes", NUMBER: "an integer", SET: "a set"}


def _holds(condition: Absent | Equals | Older, entry: Entry | None) -> bool:
    if isinstance(condition, Absent):
        return entry is None
    if entry is None or entry.kind != BYTES:
        return False
    if isinstance(condition, Equals):
        return entry.value == condition.value
    prefix = condition.prefix
    return entry.value[:prefix] == condition.value[:prefix] and entry.value < condition.value
