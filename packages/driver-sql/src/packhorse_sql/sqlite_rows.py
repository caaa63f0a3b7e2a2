"""Many rows in one statement on SQLite: numbers as one JSON text, text and bytes as one blob.

The sqlite3 module lets go of the interpreter's lock at each step of a statement, and a thread that
computes may then keep it for 5 ms. Parameters row by row, as `executemany` sends them, or results
row by row, would cost that once a row; one statement with one result costs it once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, cast

import sqlalchemy as sa
from msgspec import json
from sqlalchemy.types import TypeEngine

from packhorse_sql.dialect import Columns

ROWS = 10_000
BYTES = 64 * 1024 * 1024
"""How many rows, and how much of text and bytes, one statement takes at most."""


class SqliteRows:
    """Rows that travel as a JSON array of arrays; text and bytes stand there as start and length in
    the blob, since SQLite's JSON cuts text at a NUL and has no bytes."""

    def __init__(self, columns: Mapping[str, TypeEngine[Any]]) -> None:
        self._blobs = [isinstance(type, sa.LargeBinary | sa.String) for type in columns.values()]
        each = sa.func.json_each(sa.bindparam("rows", type_=sa.String())).table_valued("value")
        blob = sa.bindparam("blob", type_=sa.LargeBinary())
        cells: list[sa.ColumnElement[Any]] = []
        place = 0
        for (name, type), is_blob in zip(columns.items(), self._blobs, strict=True):
            cell = _extract(each, place, type)
            if is_blob:
                length = _extract(each, place + 1, sa.Integer())
                cell = sa.func.substr(blob, cell, length, type_=sa.LargeBinary())
            if isinstance(type, sa.String):
                cell = sa.cast(cell, type)
            place += 2 if is_blob else 1
            cells.append(cell.label(name))
        self._source = sa.select(*cells).select_from(each).subquery("packed")

    @property
    def c(self) -> Columns:
        return self._source.c

    @property
    def source(self) -> sa.FromClause:
        return self._source

    def packed(self, rows: Iterable[Sequence[object]]) -> Iterator[Mapping[str, object]]:
        every = list(rows)
        for start in range(0, len(every), ROWS):
            yield from self._portions(every[start : start + ROWS])

    def _portions(self, rows: list[Sequence[object]]) -> Iterator[Mapping[str, object]]:
        """Whole columns at a time: a step of Python for each cell would cost as much as SQLite does."""
        if not any(self._blobs):
            yield {"rows": json.encode(rows).decode()}
            return
        columns: list[Iterable[object]] = []
        pieces: list[bytes] = []
        # A first byte keeps the blob from being empty, which SQLite's substr would take for NULL.
        end = 1
        for column, is_blob in zip(zip(*rows, strict=True), self._blobs, strict=True):
            if not is_blob:
                columns.append(column)
                continue
            given = [value.encode() if isinstance(value, str) else value for value in column]
            cells = [cast("bytes", b"" if value is None else value) for value in given]
            starts = list(accumulate(map(len, cells), initial=end + 1))
            end = starts.pop() - 1
            pairs = zip(given, cells, strict=True)
            # Without a length there is no piece: NULL.
            lengths = [None if value is None else len(cell) for value, cell in pairs]
            columns += (starts, lengths)
            pieces += cells
        if end > BYTES and len(rows) > 1:
            yield from self._portions(rows[: len(rows) // 2])
            yield from self._portions(rows[len(rows) // 2 :])
        else:
            packed = json.encode(list(zip(*columns, strict=True))).decode()
            yield {"rows": packed, "blob": b"".join((b"\0", *pieces))}


def _extract(each: sa.TableValuedAlias, place: int, type: TypeEngine[Any]) -> sa.ColumnElement[Any]:
    return sa.func.json_extract(each.c.value, sa.literal_column(f"'$[{place}]'"), type_=type)
