"""One SQL database: a connection a thread, reads, and writes that are one transaction each."""

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import TypeVar

import sqlalchemy as sa

from packhorse.plugin import ConfigError, ConnectionLost, DriverSetup, Url
from packhorse_sql.dialect import Dialect, Session
from packhorse_sql.migrate import upgrade
from packhorse_sql.moments import Moments
from packhorse_sql.prepared import Prepared
from packhorse_sql.schema import tables
from packhorse_sql.statements import statements
from packhorse_sql.upkeep import Upkeep

T = TypeVar("T")

DIALECTS = {"sqlite": "packhorse_sql.sqlite:Sqlite"}


class Database:
    """Runs work on the calling thread's own connection; every error leaves it translated."""

    def __init__(self, dialect: Dialect, prefix: str, setup: DriverSetup) -> None:
        self.dialect = dialect
        self.tables = tables(prefix)
        self.statements = statements(prefix, type(dialect))
        self._moments = Moments(setup.clock)
        self._upkeep = Upkeep(self.tables, self._moments)
        self._foreign: tuple[type[Exception], ...] = (
            sa.exc.SQLAlchemyError,
            *dialect.client_errors,
        )
        self._start()
        self._closed = False

    def _start(self) -> None:
        self._threads = threading.local()
        self._sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._ready = False
        self._versions = (0, 0)

    @classmethod
    def open(cls, url: Url, setup: DriverSetup) -> "Database":
        """Makes a database from a connection's URL, without connecting; raises `ConfigError`."""
        prefix = url.option("prefix", str, "packhorse_")
        if not prefix.isidentifier() or not prefix.isascii():
            raise ConfigError(
                f"the option prefix={prefix!r} of {url} begins the tables' names: "
                "letters, digits and underscores, as in packhorse_"
            )
        module, _, name = DIALECTS[url.scheme].partition(":")
        dialect: type[Dialect] = getattr(import_module(module), name)
        return cls(dialect.open(url, setup), prefix, setup)

    def now(self, later_by: int = 0) -> int:
        """The present moment by the clock that all users of the database share."""
        if not self._ready:
            with self._session():
                pass  # the first connection reads the last moment that was handed out
        return self._moments.now(later_by)

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Runs work that only reads; it may be run more than once."""
        with self._session() as session:
            return self._insist(lambda: work(session.connection))

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Runs work in one transaction: all of it happens, or nothing and an error."""
        with self._session() as session:
            self.dialect.begin(session)
            try:
                result = work(session.connection)
                self._upkeep.run(session.connection)
                self.dialect.commit(session)
            except BaseException:
                self.dialect.rollback(session)
                raise
            return result

    def write_one(self, statement: Prepared, given: Callable[[], Mapping[str, object]]) -> int:
        """Runs one statement as a transaction of its own; the number of rows that it wrote.

        `given` is asked when the turn to write has come.
        """
        if self._upkeep.due():
            return self.write(lambda connection: statement.run(connection, given()).rowcount)
        with self._session() as session:
            return self.dialect.write_one(session, statement, given)

    def migrate(self) -> tuple[int, int]:
        """Brings the tables up to date; their version before this process came, and now."""
        with self._session():
            return self._versions

    def changes(self) -> int | None:
        """A number that differs for this thread after others have committed."""
        with self.watching() as changes:
            return changes()

    @contextmanager
    def watching(self) -> Iterator[Callable[[], int | None]]:
        """`changes` for this thread, by the shortest way: who waits asks it many times a second."""
        with self._session() as session:
            changes = self.dialect.changes(session)
        try:
            yield changes
        except self._foreign as error:
            raise self.dialect.translate(error) from error

    @contextmanager
    def _session(self) -> Iterator[Session]:
        try:
            session: Session | None = getattr(self._threads, "session", None)
            if session is None or session.closed:
                session = self._connect()
            with session.lock:
                try:
                    if self._closed:
                        raise ConnectionLost(f"{self.dialect} is used after it was closed")
                    yield session
                finally:
                    if self._closed:
                        session.close()
        except self._foreign as error:
            raise self.dialect.translate(error) from error

    def _connect(self) -> Session:
        session = self.dialect.connect()
        with self._lock:
            self._sessions.add(session)
            if not self._ready:
                with session.lock:
                    self._versions = self._insist(
                        lambda: upgrade(self.dialect, session, self.tables)
                    )
                    self._insist(lambda: self._upkeep.read_moment(session.connection))
                self._ready = True
        self._threads.session = session
        return session

    def _insist(self, work: Callable[[], T]) -> T:
        """Repeats work that came to nothing because somebody else was in the way."""
        started = time.monotonic()
        while True:
            try:
                return work()
            except self._foreign as error:
                if not self.dialect.busy(error):
                    raise
            self.dialect.pause(started)

    def after_fork(self) -> None:
        """In a forked child: begins anew, without harm to the parent's connections."""
        self.dialect.after_fork(list(self._sessions))
        self._moments.after_fork()
        self._start()

    def close(self) -> None:
        """Closes the connections of all threads; one that is at work closes its own at the end."""
        self._closed = True
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            if session.lock.acquire(blocking=False):
                session.close()
                session.lock.release()
