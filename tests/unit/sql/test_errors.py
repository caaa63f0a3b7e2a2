"""Whatever SQLite has to say reaches a user in packhorse's words, with the file's name."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from packhorse.ids import new_id
from packhorse.plugin import (
    ConfigError,
    ConnectionLost,
    DriverSetup,
    Group,
    Increment,
    PackhorseError,
    PayloadTooLarge,
    Put,
)
from packhorse.testing import Running
from packhorse_sql.database import Database
from packhorse_sql.dialect import Session
from packhorse_sql.driver import SqlDriver
from packhorse_sql.sqlite import Sqlite
from packhorse_sql.sqlite_errors import translate
from tests.unit.sql.opening import messages, open_driver, open_store, raw, take

VERBS: dict[str, Callable[[SqlDriver], object]] = {
    "send": lambda driver: driver.send(messages(b"x")),
    "reserve": lambda driver: driver.consumer("w").reserve(["q"], 1, 0),
    "counts": lambda driver: driver.counts("q"),
    "list": lambda driver: driver.list(None, "dead", 5),
    "queues": lambda driver: driver.queues(),
    "cancel": lambda driver: driver.cancel([new_id()]),
    "clear": lambda driver: driver.clear(None),
    "pause": lambda driver: driver.pause("q"),
    "forget": lambda driver: driver.forget([new_id()]),
    "rescue": lambda driver: driver.rescue("w"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_missing_folder_is_named_with_what_to_do(tmp_path: Path, verb: str) -> None:
    driver = open_driver(tmp_path / "missing" / "jobs.db")
    with pytest.raises(ConfigError, match=r"missing/jobs\.db.*no folder.*make it") as caught:
        VERBS[verb](driver)
    assert caught.value.__cause__ is not None


def test_it_works_once_the_folder_is_there(tmp_path: Path) -> None:
    driver = open_driver(tmp_path / "later" / "jobs.db")
    with pytest.raises(ConfigError):
        driver.counts("q")
    (tmp_path / "later").mkdir()
    assert driver.send(messages(b"x"))[0].state == "stored"


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it is a folder"):
        open_driver(tmp_path).counts("q")
    with pytest.raises(ConfigError, match="it is a folder"):
        open_store(tmp_path).read(["key"])


def test_a_file_that_is_no_database_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"my notes\n" * 1_000)
    with pytest.raises(ConfigError, match=r"notes\.txt is no SQLite database"):
        open_driver(path).send(messages(b"x"))
    assert path.read_bytes() == b"my notes\n" * 1_000


def test_a_read_only_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    driver = open_driver(path)
    driver.send(messages(b"x"))
    driver._database.read(lambda connection: connection.exec_driver_sql("PRAGMA query_only=1"))
    with pytest.raises(ConfigError, match=r"jobs\.db is read-only"):
        driver.send(messages(b"x"))


def test_a_full_disk_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    driver = open_driver(tmp_path / "jobs.db")

    def limit(pages: int) -> None:
        query = f"PRAGMA max_page_count={pages}"
        driver._database.read(lambda connection: connection.exec_driver_sql(query).all())

    driver.send(messages(b"first"))
    limit(1)  # SQLite takes it as the size that the file has
    with pytest.raises(ConnectionLost, match=r"jobs\.db cannot grow, the disk is full: make room"):
        driver.send(messages(*[b"x" * 10_000] * 100))
    limit(1_000_000)
    driver.send(messages(b"second"))
    assert [each.message.body for each in take(driver.consumer("w"))] == [b"first", b"second"]


def test_a_file_that_another_program_keeps_locked_is_lost_in_time(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    driver = open_driver(path, lock_timeout=0.2)
    driver.send(messages(b"x"))
    with raw(path) as other:
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        says = r"jobs\.db has been locked .* 0\.2 s.*lock_timeout"
        with pytest.raises(ConnectionLost, match=says):
            driver.send(messages(b"x"))
        assert time.monotonic() - started < 5
        assert driver.counts("q").ready == 1
        other.execute("ROLLBACK")
    assert driver.send(messages(b"x"))[0].state == "stored"


class InTheOldMode(Sqlite):
    """Leaves the journal as it is, so that whoever writes locks out those who only read."""

    def connect(self) -> Session:
        return Session(self._engine.connect())


def test_opening_and_looking_wait_for_a_lock_too(tmp_path: Path) -> None:
    """In WAL mode it is short: while the log is recovered, or the last one who has it open leaves."""
    path = tmp_path / "jobs.db"
    database = Database(InTheOldMode(str(path), "full", 60.0), "packhorse_", DriverSetup())
    with raw(path) as other:
        for step in (database.now, database.changes):
            other.execute("BEGIN EXCLUSIVE")
            waiting = Running(step)
            time.sleep(0.05)
            assert waiting.is_alive()
            other.execute("COMMIT")
            waiting.answer(5)
    database.close()


def test_a_lock_that_ends_in_time_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    driver = open_driver(path)
    driver.counts("q")
    with raw(path) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = [Running(driver.send, messages(b"x")) for _ in range(3)]
        time.sleep(0.05)
        assert all(each.is_alive() for each in waiting)
        other.execute("COMMIT")
        assert [each.answer(5)[0].state for each in waiting] == ["stored"] * 3


def test_a_closed_driver_says_so(tmp_path: Path) -> None:
    driver = open_driver(tmp_path / "jobs.db")
    driver.send(messages(b"x"))
    driver.close()
    driver.close()
    with pytest.raises(ConnectionLost, match=r"jobs\.db is used after it was closed"):
        driver.counts("q")


def test_a_value_of_another_kind_stops_the_whole_call(tmp_path: Path) -> None:
    store = open_store(tmp_path / "jobs.db")
    store.apply([Group([Put("k", b"v")])])
    with pytest.raises(TypeError, match=r"Increment on the store's key 'k', which holds bytes"):
        store.apply([Group([Put("other", b"v"), Increment("k")])])
    assert store.read(["k", "other"]) == [b"v", None]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("SELECT zeroblob(2000000000)", PayloadTooLarge),
        ("INSERT INTO t VALUES (1)", ConnectionLost),
        ("SELECT * FROM nowhere", ConnectionLost),
    ],
)
def test_any_error_of_sqlite_has_a_meaning(
    tmp_path: Path, statement: str, kind: type[PackhorseError]
) -> None:
    with raw(tmp_path / "a.db") as connection:
        connection.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
        connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(sqlite3.Error) as caught:
            connection.execute(statement).fetchall()
    meaning = translate(caught.value, "/a/b.db")
    assert type(meaning) is kind
    assert "/a/b.db" in str(meaning)
