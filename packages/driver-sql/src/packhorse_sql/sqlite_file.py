"""One database file as the threads of this process share it, and how a fork leaves it.

SQLite remembers in each process which locks it holds. A forked child would believe in its parent's:
tried, a parent that closed its connection then deleted the log under its child, and what the child
sent next was lost. So a fork waits for statements under way, and the child begins by closing every
inherited connection; that is safe for a connection at rest, and from then on its locks are real.
"""

import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from packhorse_sql.dialect import Session

PATIENCE = 5.0
"""Seconds for which a fork waits for statements to end."""


class Bell:
    """Wakes threads of this process that wait for something new in the file."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()
        self._waiting: set[threading.Lock] = set()

    def ring(self) -> None:
        with self._lock:
            self.count += 1
            while self._waiting:
                self._waiting.pop().release()

    @contextmanager
    def heard(self, count: int) -> Iterator[threading.Lock]:
        """A lock that can be acquired once the bell has rung since it stood at `count`."""
        rung = threading.Lock()
        rung.acquire()
        with self._lock:
            if self.count == count:
                self._waiting.add(rung)
            else:
                rung.release()
        try:
            yield rung
        finally:
            with self._lock:
                self._waiting.discard(rung)


class File:
    """Writers queue for their `turn`, so that they never fight over SQLite's own lock."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.bell = Bell()


# Process-wide, for SQLite's locks are too, and know nothing of apps.
_files: "weakref.WeakValueDictionary[str, File]" = weakref.WeakValueDictionary()
_sessions: "weakref.WeakSet[Session]" = weakref.WeakSet()
_gate = threading.Lock()
"""Held while a connection is opened, and by a fork."""

_process = os.getpid()

_taken: list[threading.Lock] = []
"""The locks that a fork holds."""

_abandoned: list[Session] = []
"""Inherited connections that no fork could wait for."""


def shared_file(path: str) -> File:
    """The file at a path, the same one for every connection of this process."""
    with _gate:
        return _files.setdefault(os.path.realpath(path), File())


@contextmanager
def opening() -> Iterator["weakref.WeakSet[Session]"]:
    """Keeps forks away while a connection is opened; it is to be added to what this yields."""
    with _gate:
        yield _sessions


def _before_fork() -> None:
    deadline = time.monotonic() + PATIENCE
    _take(_gate, deadline)
    for session in list(_sessions):
        _take(session.lock, deadline)


def _take(lock: threading.Lock, deadline: float) -> None:
    if lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
        _taken.append(lock)


def _release() -> None:
    while _taken:
        _taken.pop().release()


def begin_in_child() -> None:
    """Makes a forked child's start; who comes first does it, the apps' own hook or this module's."""
    global _gate, _process
    if _process == os.getpid():
        return
    _process = os.getpid()
    for session in list(_sessions):
        if session.lock in _taken:
            session.close()
        else:
            # Closing it in the middle of a statement would take the child down.
            _abandoned.append(session)
    _sessions.clear()
    _files.clear()
    _release()
    _gate = threading.Lock()


os.register_at_fork(before=_before_fork, after_in_parent=_release, after_in_child=begin_in_child)
