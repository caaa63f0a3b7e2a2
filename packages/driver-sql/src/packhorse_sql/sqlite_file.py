"""One database file as the threads of this process share it, and how a fork leaves it.

SQLite remembers in each process which locks it holds. A forked child would believe in its parent's:
tried, a parent that closed its connection then deleted the log under its child, and what the child
sent next was lost. So a fork waits for statements under way, and the child begins by closing every
inherited connection; that is safe for a connection at rest, and from then on its locks are real.
"""

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from packhorse_sql.dialect import Session

PATIENCE = 5.0
"""Seconds for which a fork waits for one connection's statement to end."""


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
_held: list[Session] = []
_abandoned: list[Session] = []
_gate = threading.Lock()
"""Held while a connection is opened, and by a fork."""


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
    _gate.acquire(timeout=PATIENCE)
    for session in list(_sessions):
        if session.lock.acquire(timeout=PATIENCE):
            _held.append(session)


def _release() -> None:
    while _held:
        _held.pop().lock.release()
    if _gate.locked():
        _gate.release()


def _after_fork_in_child() -> None:
    # One that did not come to rest would take the child down with it: it is left alone for good.
    _abandoned.extend(session for session in _sessions if session not in _held)
    for session in _held:
        session.close()
    _sessions.clear()
    _files.clear()
    _release()


os.register_at_fork(
    before=_before_fork, after_in_parent=_release, after_in_child=_after_fork_in_child
)
