"""What SQLite does to answer: an index with its conditions, no scan of a table and no sort."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from packhorse.plugin import Done
from packhorse_sql.database import Database
from packhorse_sql.driver import SqlDriver
from packhorse_sql.prepared import Prepared
from packhorse_sql.schema import LEASED, WAITING
from packhorse_sql.sqlite_claim import claims
from packhorse_sql.sqlite_entries import entries
from tests.unit.sql.opening import messages, open_driver, take

LINE = "packhorse_messages_line (queue=? AND state=?"


def plan(database: Database, prepared: Prepared, given: Mapping[str, object]) -> list[str]:
    """The steps of SQLite's plan for a statement."""

    def explain(connection: sa.Connection) -> list[str]:
        prepared._compile(connection.dialect)
        query = f"EXPLAIN QUERY PLAN {prepared._text}"
        values = {**prepared._fixed, **given}
        rows = tuple(values[name] for name in prepared._order or ())
        return [row[3] for row in connection.exec_driver_sql(query, rows).all()]

    return database.read(explain)


@pytest.fixture
def driver(tmp_path: Path) -> SqlDriver:
    driver = open_driver(tmp_path / "jobs.db")
    driver.send(messages(*[b"x"] * 100))
    return driver


@pytest.mark.parametrize("state", [WAITING, LEASED])
def test_a_claim_finds_its_rows_by_the_index_alone(driver: SqlDriver, state: int) -> None:
    database = driver._database
    given = {"of_queue": "q", "now": 1, "at_most": 5, "lease_end": 1, "number": 1, "holder": "w"}
    steps = plan(database, claims(database.tables).updates[state], given)
    reads = [step for step in steps if LINE in step]
    assert len(reads) == 1
    assert "moment<?" in reads[0]
    assert not [step for step in steps if step.startswith("SCAN")]
    # Ended leases come by their old place, which no index has: there are as many as workers held.
    assert any("TEMP B-TREE" in step for step in steps) == (state == LEASED)


def test_a_look_reads_nothing_but_the_index(driver: SqlDriver) -> None:
    sql = driver._database.statements
    (packed,) = sql.queue_rows.packed([("q",)])
    steps = plan(driver._database, sql.look, {"now": 1, **packed})
    messages_read = [step for step in steps if "packhorse_messages" in step]
    assert len(messages_read) == 4
    assert all(f"COVERING INDEX {LINE} AND moment" in step for step in messages_read)


@pytest.mark.parametrize("name", ["stale", "remove", "give_back", "renew", "retry", "bury"])
def test_settling_goes_to_its_rows_by_their_key(driver: SqlDriver, name: str) -> None:
    sql = driver._database.statements
    rows = {"retry": sql.retry_rows, "bury": sql.record_rows}.get(name, sql.held_rows)
    values = {"retry": (1, 1, b""), "bury": (1, b"")}.get(name, (1, 1))
    (packed,) = rows.packed([values])
    steps = plan(driver._database, getattr(sql, name), {"now": 1, "until": 1, **packed})
    found = [step for step in steps if "packhorse_messages" in step]
    assert found == ["SEARCH packhorse_messages USING INTEGER PRIMARY KEY (rowid=?)"]


def test_sending_looks_up_each_id(driver: SqlDriver) -> None:
    sql = driver._database.statements
    (packed,) = sql.message_rows.packed([(b"1" * 16, "q", 1, 0, b"")])
    steps = plan(driver._database, sql.add, {"now": 1, "call": 1, **packed})
    tables = [step for step in steps if "packhorse" in step]
    assert len(tables) == 2
    assert all(re.search(r"SEARCH packhorse_(known|dead) USING .*\(id=\?\)", s) for s in tables)


def test_the_next_of_a_group_comes_first_in_its_index(driver: SqlDriver) -> None:
    groups = driver._database.statements.groups
    (packed,) = groups.rows.packed([("q", "g")])
    steps = plan(driver._database, groups.promote, {"call": 1, **packed})
    found = [step for step in steps if "packhorse_messages" in step]
    (first,) = [step for step in steps if step.startswith("SEARCH one")]
    assert first.endswith("INDEX packhorse_messages_group (queue=? AND group_name=?)")
    assert found == ["SEARCH packhorse_messages USING INTEGER PRIMARY KEY (rowid=?)", first]
    assert not [step for step in steps if "TEMP B-TREE FOR ORDER" in step]


@pytest.mark.parametrize("name", ["expire", "leave", "lose"])
def test_keys_are_freed_by_their_holder(driver: SqlDriver, name: str) -> None:
    keys = driver._database.statements.keys
    (packed,) = keys.id_rows.packed([(b"1" * 16,)])
    steps = plan(driver._database, getattr(keys, name), {"now": 1, **packed})
    found = [step for step in steps if "packhorse" in step]
    assert len(found) == 1
    assert found[0].startswith("SEARCH packhorse_keys USING INDEX packhorse_keys_holder (holder=?")


def test_keys_are_looked_up_with_their_holders(driver: SqlDriver) -> None:
    keys = driver._database.statements.keys
    (packed,) = keys.places.packed([("q", "key")])
    steps = [step for step in plan(driver._database, keys.load, packed) if "packhorse" in step]
    assert len(steps) == 2
    assert re.search(r"SEARCH packhorse_keys USING PRIMARY KEY \(queue=\? AND key=\?\)", steps[0])
    assert re.search(r"SEARCH packhorse_messages USING INDEX .*\(id=\?\)", steps[1])


def test_a_call_takes_as_many_statements_for_a_thousand_as_for_ten(tmp_path: Path) -> None:
    counts = []
    for size in (10, 1_000):
        driver = open_driver(tmp_path / f"{size}.db")
        consumer = driver.consumer("w")
        take(consumer)
        seen: list[str] = []
        with driver._database._session() as session:
            session.raw.set_trace_callback(seen.append)
        driver.send(messages(*[b"x"] * size))
        consumer.settle([Done(delivery) for delivery in take(consumer)])
        assert driver.counts("q").ready == 0
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_the_store_reads_its_keys_by_the_primary_key(driver: SqlDriver) -> None:
    stored = entries(driver._database.tables)
    (packed,) = stored._rows.packed([("key",)])
    for statement in (stored.small, stored.large):
        steps = plan(driver._database, statement, packed)
        (found,) = [step for step in steps if "packhorse_store" in step]
        assert found == "SEARCH packhorse_store USING PRIMARY KEY (key=?)"
