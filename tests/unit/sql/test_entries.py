"""Keys of the store as SQLite reads them: whole, of any size, and without remains of former sets."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import sqlalchemy as sa

from packhorse import Packhorse
from packhorse.plugin import AddMembers, Delete, Group, Put
from packhorse.testing import eventually
from packhorse_sql import sqlite_entries
from packhorse_sql.store import SqlStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with Packhorse(f"sqlite:///{tmp_path}/jobs.db") as app:
        yield cast("SqlStore", app.connection().store)


def members_left(store: SqlStore) -> int:
    members = store._database.tables.members
    count = sa.select(sa.func.count()).select_from(members)
    return int(store._database.read(lambda connection: connection.scalar(count)) or 0)


@pytest.mark.parametrize("extra", [-1, 0, 1, 100_000])
def test_values_of_every_size_come_whole(store: SqlStore, extra: int) -> None:
    large = bytes(range(256)) * ((sqlite_entries._LARGE + extra) // 256) + b"\xff\x00"
    values = {"small": b"\x00", "none": b"", "with\0nul 🐴": b"x", "large": large}
    store.apply([Group([Put(key, value) for key, value in values.items()])])
    assert store.read([*values, "absent"]) == [*values.values(), None]


def test_a_set_that_becomes_bytes_leaves_no_members(store: SqlStore) -> None:
    store.apply([Group([AddMembers("key", [b"a", b"b"])])])
    store.apply([Group([Put("key", b"bytes")])])
    assert (store.read(["key"]), members_left(store)) == ([b"bytes"], 0)


def test_nor_does_one_that_was_over(store: SqlStore) -> None:
    store.apply([Group([AddMembers("key", [b"a", b"b"], ttl=0.01)])])
    eventually(lambda: store.read(["key"]) == [None])
    store.apply([Group([Put("key", b"bytes")])])
    assert (store.read(["key"]), members_left(store)) == ([b"bytes"], 0)


def test_nor_one_that_was_made_and_removed_in_one_call(store: SqlStore) -> None:
    groups = [Group([AddMembers("key", [b"a"])]), Group([Delete("key")])]
    store.apply(groups)
    assert (store.read(["key"]), members_left(store)) == ([None], 0)
    store.apply([groups[0], Group([Put("key", b"bytes")])])
    assert (store.read(["key"]), members_left(store)) == ([b"bytes"], 0)
