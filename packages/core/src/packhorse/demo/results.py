"""Where the demo's jobs write what they found: a SQLite file of its own, one row a source file."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from msgspec import Struct, structs


class Row(Struct, frozen=True):
    """What is in one source file; `longest` is its longest function."""

    path: str
    package: str
    lines: int
    functions: int
    classes: int
    longest: str
    longest_lines: int


class Package(Struct, frozen=True):
    """A package or module of the library, all of its files together."""

    name: str
    files: int
    lines: int
    functions: int
    classes: int


class Summary(Struct, frozen=True):
    """All rows together, the largest packages and the longest functions, each the largest first."""

    files: int
    lines: int
    functions: int
    classes: int
    packages: list[Package]
    longest: list[Row]


_threads = threading.local()


def create(path: str) -> None:
    """Makes the table."""
    columns = ", ".join(f"{name} NOT NULL" for name in Row.__struct_fields__)
    with _opened(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"CREATE TABLE IF NOT EXISTS files ({columns}, PRIMARY KEY (path))")


def write(path: str, row: Row) -> None:
    """Puts a row in, or in the place of an earlier one of the same source file."""
    marks = ", ".join("?" * len(Row.__struct_fields__))
    _of_thread(path).execute(f"INSERT OR REPLACE INTO files VALUES ({marks})", structs.astuple(row))


def count(path: str) -> int:
    """How many rows there are."""
    with _opened(path) as connection:
        return int(connection.execute("SELECT count(*) FROM files").fetchone()[0])


def summary(path: str, top: int) -> Summary:
    """What the rows say together."""
    sums = (
        "count(*), coalesce(sum(lines), 0), coalesce(sum(functions), 0), coalesce(sum(classes), 0)"
    )
    with _opened(path) as connection:
        total: tuple[int, int, int, int] = connection.execute(
            f"SELECT {sums} FROM files"
        ).fetchone()
        packages = connection.execute(
            f"SELECT package, {sums} FROM files GROUP BY package ORDER BY 3 DESC LIMIT ?", (top,)
        )
        longest = connection.execute(
            "SELECT * FROM files ORDER BY longest_lines DESC LIMIT ?", (top,)
        )
        return Summary(
            *total,
            [Package(*row) for row in packages],
            [Row(*row) for row in longest],
        )


@contextmanager
def _opened(path: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
        yield connection


def _of_thread(path: str) -> sqlite3.Connection:
    """This thread's connection: a worker runs the job in several threads."""
    connections: dict[str, sqlite3.Connection] = _threads.__dict__.setdefault("connections", {})
    if path not in connections:
        connections[path] = sqlite3.connect(path, isolation_level=None, timeout=30)
        connections[path].execute("PRAGMA synchronous=NORMAL")
    return connections[path]
