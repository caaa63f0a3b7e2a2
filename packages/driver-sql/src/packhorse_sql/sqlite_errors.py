"""What an error of SQLite means to a user: which file, what is wrong, what to do next."""

import os
import sqlite3
from collections.abc import Callable

import sqlalchemy as sa

from packhorse.plugin import ConfigError, ConnectionLost, PackhorseError, PayloadTooLarge

_MEANINGS: dict[int, tuple[type[PackhorseError], str]] = {
    sqlite3.SQLITE_READONLY: (
        ConfigError,
        "is read-only: let this user write to it and its folder",
    ),
    sqlite3.SQLITE_PERM: (ConfigError, "may not be opened: let this user write to it"),
    sqlite3.SQLITE_AUTH: (ConfigError, "may not be opened: let this user write to it"),
    sqlite3.SQLITE_NOTADB: (ConfigError, "is no SQLite database: name another file"),
    sqlite3.SQLITE_FULL: (ConnectionLost, "cannot grow, the disk is full: make room"),
    sqlite3.SQLITE_CORRUPT: (
        ConnectionLost,
        "is damaged: look at it with `PRAGMA integrity_check`, or restore a backup",
    ),
    sqlite3.SQLITE_TOOBIG: (PayloadTooLarge, "takes no message as large as this one"),
}


def is_busy(error: BaseException) -> bool:
    """Was somebody else in the way, so that trying again is all there is to do?"""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)


def translate(error: Exception, path: str) -> PackhorseError:
    """The same failure in packhorse's own words."""
    code = _code(error)
    if code == sqlite3.SQLITE_CANTOPEN:
        return _cannot_open(path)
    kind, meaning = _MEANINGS.get(
        code, (ConnectionLost, f"cannot be used just now: {_cause(error)}")
    )
    return kind(f"the SQLite file {path} {meaning}")


def _cannot_open(path: str) -> PackhorseError:
    folder = os.path.dirname(path)
    wrong: list[tuple[Callable[[], bool], str]] = [
        (lambda: not os.path.isdir(folder), f"there is no folder {folder}: make it"),
        (lambda: os.path.isdir(path), "it is a folder: name a file in it"),
        (lambda: not os.access(folder, os.W_OK), "this user may not write to its folder: allow it"),
        (
            lambda: os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK),
            "this user may not read and write it: allow it",
        ),
    ]
    for is_so, meaning in wrong:
        if is_so():
            return ConfigError(f"the SQLite file {path} cannot be opened: {meaning}")
    return ConnectionLost(
        f"the SQLite file {path} cannot be opened just now: are too many files open (ulimit -n)?"
    )


def _code(error: BaseException) -> int:
    """SQLite's primary result code; the upper bytes only refine it."""
    return getattr(_cause(error), "sqlite_errorcode", 0) & 0xFF


def _cause(error: BaseException) -> BaseException | None:
    """SQLite's own exception, which SQLAlchemy may have wrapped."""
    return error.orig if isinstance(error, sa.exc.DBAPIError) else error
