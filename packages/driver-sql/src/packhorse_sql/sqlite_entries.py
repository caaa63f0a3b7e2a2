"""Reading keys of the store on SQLite: one row of JSON brings all that are small.

A row a step would be slow beside threads that compute; `sqlite_rows` tells why.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import sqlalchemy as sa
from msgspec import json

from packhorse_sql.dialect import EntryRow
from packhorse_sql.prepared import Prepared
from packhorse_sql.schema import Tables
from packhorse_sql.sqlite_rows import SqliteRows

_LARGE = 4 * 1024
"""Longer values do not travel in the JSON, where they would take twice their size."""

_decode = json.Decoder(list[tuple[str, int, str | None, int, int | None]]).decode


class Entries:
    """The statements that read keys."""

    def __init__(self, tables: Tables) -> None:
        store = tables.store
        self._rows = SqliteRows({"key": store.c.key.type})
        asked = store.c.key.in_(sa.select(self._rows.c.key))
        size = sa.func.coalesce(sa.func.length(store.c.value), 0)
        # As hexadecimal digits, for SQLite's JSON cuts text at a NUL.
        cells = sa.func.json_array(
            sa.func.hex(store.c.key),
            store.c.kind,
            sa.case((size <= _LARGE, sa.func.hex(store.c.value))),
            store.c.number,
            store.c.until,
        )
        self.small = Prepared(sa.select(sa.func.json_group_array(cells)).where(asked))
        self.large = Prepared(sa.select(store.c.key, store.c.value).where(asked, size > _LARGE))

    def read(self, connection: sa.Connection, keys: Iterable[str]) -> Iterator[EntryRow]:
        """The rows of these keys, in no order."""
        for packed in self._rows.packed([(key,) for key in keys]):
            ((found,),) = self.small.run(connection, packed).fetchall()
            rows = _decode(found)
            large: dict[str, bytes] = {}
            if any(value is None for _, _, value, _, _ in rows):
                large.update(self.large.run(connection, packed).fetchall())
            for digits, kind, value, number, until in rows:
                key = bytes.fromhex(digits).decode()
                whole = large[key] if value is None else bytes.fromhex(value)
                yield key, kind, whole, number, until


@lru_cache
def entries(tables: Tables) -> Entries:
    """The statements for these tables, built once."""
    return Entries(tables)
