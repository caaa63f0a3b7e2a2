"""Rows that travel in one statement's parameters arrive as they left."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.types import TypeEngine

from packhorse_sql import sqlite_rows
from packhorse_sql.sqlite_rows import SqliteRows
from tests.unit.sql.opening import messages, open_driver, take

ENGINE = sa.create_engine("sqlite://", poolclass=sa.NullPool)
COLUMNS: dict[str, TypeEngine[Any]] = {
    "number": sa.BigInteger(),
    "text": sa.String(),
    "data": sa.LargeBinary(),
}
Row = tuple[object, ...]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.none() | st.integers(-(2**63), 2**63 - 1)
ROWS = st.lists(st.tuples(NUMBERS, TEXTS, st.binary()), max_size=30)


def there_and_back(columns: Mapping[str, TypeEngine[Any]], sent: list[Row]) -> list[Row]:
    """What a SELECT from the packed rows finds."""
    rows = SqliteRows(columns)
    query = sa.select(*rows.c).select_from(rows.source)
    with ENGINE.connect() as connection:
        return [
            tuple(row) for packed in rows.packed(sent) for row in connection.execute(query, packed)
        ]


@given(ROWS)
def test_rows_arrive_whole_and_in_order(sent: list[Row]) -> None:
    assert there_and_back(COLUMNS, sent) == sent


@given(st.lists(st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)), max_size=30))
def test_rows_of_numbers_alone_need_no_blob(sent: list[Row]) -> None:
    columns: dict[str, TypeEngine[Any]] = {"a": sa.BigInteger(), "b": sa.BigInteger()}
    assert there_and_back(columns, sent) == sent


@pytest.mark.parametrize(("rows", "size"), [(7, 2**30), (2**30, 50)])
def test_many_or_large_rows_go_in_portions(
    monkeypatch: pytest.MonkeyPatch, rows: int, size: int
) -> None:
    monkeypatch.setattr(sqlite_rows, "ROWS", rows)
    monkeypatch.setattr(sqlite_rows, "BYTES", size)
    sent: list[Row] = [(n, str(n), b"x" * n) for n in range(30)]
    assert there_and_back(COLUMNS, sent) == sent
    assert len(list(SqliteRows(COLUMNS).packed(sent))) > 3


@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 3_000_000])
def test_bodies_of_every_size_come_back_in_their_order(tmp_path: Path, size: int) -> None:
    driver = open_driver(tmp_path / "jobs.db")
    bodies = [b"first", bytes(range(256)) * (size // 256) + b"\xff" * (size % 256), b"last"]
    driver.send(messages(*bodies))
    assert [each.message.body for each in take(driver.consumer("w"))] == bodies
