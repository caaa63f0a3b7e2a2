"""Many rows in one statement on SQLite: numbers as one JSON text, text and bytes as one blob.

The sqlite3 module lets go of the interpreter's lock at each step of a statement, and a thread that
computes may then keep it for 5 ms. Parameters row by row, as `executemany` sends them, or results
row by row, would cost that once a row; one statement with one result costs it once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

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
        if not any(self._blobs):
            yield from self._plain(list(rows))
            return
        cells: list[list[object]] = []
        # A first byte keeps the blob from being empty, which SQLite's substr would take for NULL.
        blob = bytearray(1)
        for row in rows:
            if cells and (len(cells) >= ROWS or len(blob) >= BYTES):
                yield self._parameters(cells, bytes(blob))
                cells, blob = [], bytearray(1)
            cells.append(self._cells(row, blob))
        if cells:
            yield self._parameters(cells, bytes(blob))

    def _plain(self, rows: list[Sequence[object]]) -> Iterator[Mapping[str, object]]:
        for start in range(0, len(rows), ROWS):
            yield {"rows": json.encode(rows[start : start + ROWS]).decode()}

    def _cells(self, row: Sequence[object], blob: bytearray) -> list[object]:
        cells: list[object] = []
        for value, is_blob in zip(row, self._blobs, strict=True):
            if not is_blob:
                cells.append(value)
                continue
            if value is None:
                cells += (None, None)
                continue
            piece = value.encode() if isinstance(value, str) else value
            assert isinstance(piece, bytes)
            cells += (len(blob) + 1, len(piece))
            blob += piece
        return cells

    def _parameters(self, cells: list[list[object]], blob: bytes) -> Mapping[str, object]:
        return {"rows": json.encode(cells).decode(), "blob": blob}


def _extract(each: sa.TableValuedAlias, place: int, type: TypeEngine[Any]) -> sa.ColumnElement[Any]:
    return sa.func.json_extract(each.c.value, sa.literal_column(f"'$[{place}]'"), type_=type)
