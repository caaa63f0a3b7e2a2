"""The schema's version: made, brought up to date, or refused in one line."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from packhorse.plugin import ConfigError
from packhorse_sql.driver import SqlDriver
from packhorse_sql.migrate import STEPS, upgrade
from packhorse_sql.schema import Tables
from tests.unit.sql.opening import finished, messages, open_driver, raw, start, take

NOW = len(STEPS)


def versions(path: Path) -> list[tuple[int]]:
    """What the file says about itself."""
    with raw(path) as connection:
        query = "SELECT value FROM packhorse_meta WHERE name = 'version'"
        return connection.execute(query).fetchall()


def test_a_fresh_file_gets_the_tables_at_its_first_use(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    driver = open_driver(path)
    assert not path.exists()
    assert driver.migrate() == [f"the SQLite file {path}: tables from version 0 to {NOW}"]
    assert versions(path) == [(NOW,)]


def test_a_file_that_is_up_to_date_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    open_driver(path).send(messages(b"x"))
    again = open_driver(path)
    assert again.migrate() == []
    assert again.counts("q").ready == 1


def test_tables_that_are_too_new_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    open_driver(path).send(messages(b"x"))
    with raw(path) as connection:
        connection.execute("UPDATE packhorse_meta SET value = 99 WHERE name = 'version'")
    with pytest.raises(ConfigError, match=r"jobs\.db .* version 99 .* upgrade packhorse-sql") as e:
        open_driver(path).send(messages(b"y"))
    assert "\n" not in str(e.value)


def with_step(driver: SqlDriver, step: object) -> tuple[int, int]:
    """Brings a driver's file to a version after the present one."""
    database = driver._database
    with database._session() as session:
        return upgrade(database.dialect, session, database.tables, (*STEPS, step))  # type: ignore[arg-type]


def test_an_old_file_takes_the_steps_that_it_lacks_and_keeps_its_messages(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    driver = open_driver(path)
    driver.send(messages(b"x"))

    def add_column(connection: sa.Connection, tables: Tables) -> None:
        connection.exec_driver_sql(f"ALTER TABLE {tables.messages.name} ADD COLUMN extra INT")

    assert with_step(driver, add_column) == (NOW, NOW + 1)
    assert versions(path) == [(NOW + 1,)]
    assert with_step(driver, add_column) == (NOW + 1, NOW + 1)
    # Workers that started before go on with the tables as they know them.
    assert [each.message.body for each in take(driver.consumer("w"))] == [b"x"]


def test_a_step_that_fails_leaves_the_version_before(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    driver = open_driver(path)
    driver.send(messages(b"x"))

    def broken(connection: sa.Connection, tables: Tables) -> None:
        connection.exec_driver_sql("DROP TABLE packhorse_known")
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        with_step(driver, broken)
    assert versions(path) == [(NOW,)]
    assert driver.send(messages(b"y"))[0].state == "stored"


FIRST = """
import sys
from tests.unit.sql.opening import messages, open_driver
from pathlib import Path
sys.stdin.readline()
print(open_driver(Path(sys.argv[1])).send(messages(b"x"))[0].state)
"""


def test_processes_that_start_at_once_make_the_tables_once(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    started = [start(FIRST, path) for _ in range(4)]
    assert [finished(each) for each in started] == ["stored\n"] * 4
    assert versions(path) == [(NOW,)]
    assert open_driver(path).counts("q").ready == 4
