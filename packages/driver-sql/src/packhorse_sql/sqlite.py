"""What only SQLite does: pragmas, its lock and how to wait for it, claims, errors, wake-ups."""

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.types import TypeEngine

from packhorse.plugin import ConfigError, ConnectionLost, DriverSetup, PackhorseError, Url
from packhorse_sql.dialect import Claim, Claimed, Dialect, EntryRow, Selected, Session
from packhorse_sql.prepared import Prepared
from packhorse_sql.schema import Tables
from packhorse_sql.sqlite_claim import claims
from packhorse_sql.sqlite_entries import entries
from packhorse_sql.sqlite_errors import is_busy, translate
from packhorse_sql.sqlite_file import begin_in_child, opening, shared_file
from packhorse_sql.sqlite_rows import SqliteRows

T = TypeVar("T")

_OLDEST = (3, 38)

_CHECKPOINT = 4_000
"""Pages (16 MB) of the log before they are copied into the file: a queue writes the same pages again
and again, and SQLite's own 1,000 copy them so often that the drain is a seventh slower."""

SYNCHRONOUS = ("full", "normal", "off")
"""What survives a power cut: every commit, all but the last ones, or that is left to luck."""


class Sqlite(Dialect):
    """SQLite in WAL mode."""

    client_errors = (sqlite3.Error,)

    def __init__(self, path: str, synchronous: str, lock_timeout: float) -> None:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise ConfigError(
                f"this Python has SQLite {sqlite3.sqlite_version}; packhorse-sql needs 3.38 or newer"
            )
        self._path = path
        self._synchronous = synchronous
        self._patience = lock_timeout
        self._start()

    def _start(self) -> None:
        self._file = shared_file(self._path)
        self.bell = self._file.bell
        self._engine = sa.create_engine(
            sa.URL.create("sqlite+pysqlite", database=self._path),
            poolclass=sa.NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"timeout": 0, "check_same_thread": False, "cached_statements": 256},
        )

    @classmethod
    def open(cls, url: Url, setup: DriverSetup) -> "Sqlite":
        url.expect(["prefix", "synchronous", "lock_timeout"])
        synchronous = url.option("synchronous", str, "full")
        if synchronous not in SYNCHRONOUS:
            raise ConfigError(
                f"the option synchronous={synchronous!r} of {url} is none of "
                f"{', '.join(SYNCHRONOUS)}"
            )
        return cls(_path(url), synchronous, url.option("lock_timeout", float, 60.0))

    def __str__(self) -> str:
        return f"the SQLite file {self._path}"

    def connect(self) -> Session:
        with opening() as sessions:
            session = Session(self._engine.connect())
            try:
                self._insist(lambda: self._prepare(session), time.monotonic())
            except BaseException:
                session.close()
                raise
            sessions.add(session)
        return session

    def _prepare(self, session: Session) -> None:
        session.raw.execute("PRAGMA journal_mode=WAL")
        session.raw.execute(f"PRAGMA synchronous={self._synchronous}")
        session.raw.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT}")

    def begin(self, session: Session) -> None:
        started = self._take_turn()
        try:
            self._insist(lambda: session.raw.execute("BEGIN IMMEDIATE"), started)
        except BaseException:
            self._file.turn.release()
            raise

    def commit(self, session: Session) -> None:
        self._insist(lambda: session.raw.execute("COMMIT"), time.monotonic())
        self._file.turn.release()

    def write_one(
        self, session: Session, statement: Prepared, given: Callable[[], Mapping[str, object]]
    ) -> int:
        """In autocommit: a statement alone spares a fifth of what the three cost."""
        started = self._take_turn()
        try:
            connection = session.connection
            return self._insist(lambda: statement.run(connection, given()), started).rowcount
        finally:
            self._file.turn.release()

    def _take_turn(self) -> float:
        """Waits until no other thread of this process writes; when the waiting began."""
        started = time.monotonic()
        if not self._file.turn.acquire(timeout=self._patience):
            raise self._held()
        return started

    def _insist(self, work: Callable[[], T], started: float) -> T:
        """Repeats what is to be done for as long as another process is in the way."""
        while True:
            try:
                return work()
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
            self.pause(started)

    def rollback(self, session: Session) -> None:
        try:
            if session.raw.in_transaction:
                session.raw.execute("ROLLBACK")
        except sqlite3.Error:
            session.close()
        finally:
            self._file.turn.release()

    def busy(self, error: BaseException) -> bool:
        return is_busy(error)

    def pause(self, started: float) -> None:
        if time.monotonic() - started > self._patience:
            raise self._held()
        time.sleep(random.uniform(0.0002, 0.002))

    def _held(self) -> ConnectionLost:
        return ConnectionLost(
            f"{self} has been locked by another process for {self._patience:g} s: look for what "
            "keeps a transaction open on it (a backup, a database browser), or raise lock_timeout"
        )

    def translate(self, error: Exception) -> PackhorseError:
        return translate(error, self._path)

    def changes(self, session: Session) -> Callable[[], int]:
        cursor, lock = session.raw.cursor(), session.lock

        def version() -> int:
            found: int = cursor.execute("PRAGMA data_version").fetchone()[0]
            return found

        def changes() -> int:
            with lock:
                return self._insist(version, time.monotonic())

        return changes

    def after_fork(self, sessions: Iterable[Session]) -> None:
        """The inherited connections are closed by then: `sqlite_file` tells why."""
        begin_in_child()
        self._start()

    @classmethod
    def rows(cls, **columns: TypeEngine[Any]) -> SqliteRows:
        return SqliteRows(columns)

    @classmethod
    def adding(cls, table: sa.Table, names: Sequence[str], select: Selected) -> Insert:
        return insert(table).from_select(names, _guarded(select)).on_conflict_do_nothing()

    @classmethod
    def replacing(cls, table: sa.Table, names: Sequence[str], select: Selected) -> Insert:
        added = insert(table).from_select(names, _guarded(select))
        keys = [column.name for column in table.primary_key]
        rest = {name: added.excluded[name] for name in names if name not in keys}
        return added.on_conflict_do_update(index_elements=keys, set_=rest)

    def claim(self, connection: sa.Connection, tables: Tables, claim: Claim) -> list[Claimed]:
        return claims(tables).take(connection, claim)

    def entries(
        self, connection: sa.Connection, tables: Tables, keys: Iterable[str]
    ) -> Iterable[EntryRow]:
        return entries(tables).read(connection, keys)


def _guarded(select: Selected) -> Selected:
    """Without a WHERE, SQLite would read ON CONFLICT as the condition of a join."""
    return select.where(sa.true())


def _path(url: Url) -> str:
    """The file that a URL names; relative to the current folder with three slashes."""
    if url.host:
        raise ConfigError(
            f"{url} names a host; a file in the current folder is sqlite:///{url.host}{url.path}, "
            f"one elsewhere sqlite:////folder/{url.host}"
        )
    path = url.path.removeprefix("/")
    if path in ("", ":memory:"):
        raise ConfigError(
            f"{url} names no file, and a database in memory cannot be shared by threads and "
            "processes; use memory:// for tests, or a file, as in sqlite:///jobs.db"
        )
    return os.path.abspath(os.path.expanduser(path))
