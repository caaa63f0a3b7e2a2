"""The seam between SQL and one database: everything that a dialect must say for itself."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol, Self, TypeAlias
from uuid import UUID

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.dml import Insert
from sqlalchemy.types import TypeEngine

from packhorse.plugin import DriverSetup, PackhorseError, Url
from packhorse_sql.prepared import Prepared
from packhorse_sql.schema import Tables

Selected: TypeAlias = "sa.Select[*tuple[Any, ...]]"
Columns = ReadOnlyColumnCollection[str, sa.ColumnElement[Any]]
EntryRow = tuple[str, int, bytes, int, int | None]
"""A row of the store: key, kind, value, number, until."""


class Session:
    """One SQL connection, kept by one thread.

    `raw` is the client library's own connection. `lock` is held while its thread is at work with
    it: sqlite3 for one takes the process down when a connection is closed under a statement.
    """

    __slots__ = ("__weakref__", "connection", "lock", "raw")

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.raw: Any = connection.connection.driver_connection
        self.lock = threading.Lock()

    @property
    def closed(self) -> bool:
        return self.connection.closed

    def close(self) -> None:
        """Closes the SQL connection; what was not committed is rolled back."""
        if not self.connection.closed:
            self.connection.invalidate()
            self.connection.close()

    def __del__(self) -> None:
        # The thread that kept it has ended.
        self.close()


class Claimed(Struct, frozen=True):
    """One row that a claim took."""

    seq: int
    id: UUID
    deliveries: int
    marks: int
    once: int
    due: int
    group: str | None
    uniqueness: str | None
    body: bytes


class Claim(Struct, frozen=True):
    """What to take: rows of one queue in one state whose moment has come, under a lease."""

    queue: str
    state: int
    now: int
    until: int
    lease: int
    worker: str
    limit: int


class Rows(Protocol):
    """Many rows that travel in the parameters of one statement, as something to select from."""

    @property
    def c(self) -> Columns:
        """The columns that the rows were declared with."""
        ...

    @property
    def source(self) -> sa.FromClause:
        """What to select from, or to join."""
        ...

    def packed(self, rows: Iterable[Sequence[object]]) -> Iterator[Mapping[str, object]]:
        """Parameters for these rows, in as few portions as the database takes."""
        ...


class Bell(Protocol):
    """Tells threads of this process that something in the database may be worth a look."""

    count: int

    def ring(self) -> None:
        """Wakes every waiting thread."""
        ...

    def heard(self, count: int) -> AbstractContextManager[threading.Lock]:
        """A lock that can be acquired once the bell has rung since it stood at `count`."""
        ...


class Dialect(ABC):
    """One database, as one connection of the configuration reaches it."""

    client_errors: ClassVar[tuple[type[Exception], ...]]
    """What the client library raises beside the exceptions of SQLAlchemy."""
    bell: Bell

    @classmethod
    @abstractmethod
    def open(cls, url: Url, setup: DriverSetup) -> Self:
        """Reads URL and options, raises `ConfigError`; does not connect."""

    @abstractmethod
    def connect(self) -> Session:
        """Opens a connection of its own for the calling thread."""

    @abstractmethod
    def begin(self, session: Session) -> None:
        """Begins a transaction that will write, when its turn has come."""

    @abstractmethod
    def commit(self, session: Session) -> None:
        """Commits; when it returns, the changes are as durable as the connection's options say."""

    @abstractmethod
    def rollback(self, session: Session) -> None:
        """Undoes the transaction and never raises."""

    @abstractmethod
    def write_one(
        self, session: Session, statement: Prepared, given: Callable[[], Mapping[str, object]]
    ) -> int:
        """`begin`, one statement and `commit` in one go; how many rows the statement wrote."""

    @abstractmethod
    def busy(self, error: BaseException) -> bool:
        """Did a read fail only because somebody else was in the way, so that it may be repeated?"""

    @abstractmethod
    def pause(self, started: float) -> None:
        """Waits a little before a repetition; raises `ConnectionLost` when it has been too long."""

    @abstractmethod
    def translate(self, error: Exception) -> PackhorseError:
        """What an exception of SQLAlchemy or the client library means to a user."""

    @abstractmethod
    def changes(self, session: Session) -> Callable[[], int | None]:
        """Gives a number that differs after others have committed; None where only looking helps.

        It is called without the session's lock.
        """

    @abstractmethod
    def after_fork(self, sessions: Iterable[Session]) -> None:
        """In a forked child: lets go of the inherited connections, the parent's unharmed."""

    @classmethod
    @abstractmethod
    def rows(cls, **columns: TypeEngine[Any]) -> Rows:
        """Declares rows that travel in parameters, with the cells in the order of the columns."""

    @classmethod
    @abstractmethod
    def adding(cls, table: sa.Table, names: Sequence[str], select: Selected) -> Insert:
        """INSERT … SELECT that passes over rows whose unique key is there already."""

    @classmethod
    @abstractmethod
    def replacing(cls, table: sa.Table, names: Sequence[str], select: Selected) -> Insert:
        """INSERT … SELECT that overwrites rows which have the same primary key."""

    @abstractmethod
    def claim(self, connection: sa.Connection, tables: Tables, claim: Claim) -> list[Claimed]:
        """Takes rows, those with the oldest place in line first, and answers them in that order."""

    @abstractmethod
    def entries(
        self, connection: sa.Connection, tables: Tables, keys: Iterable[str]
    ) -> Iterable[EntryRow]:
        """The store's rows of these keys, also those whose time is over."""
