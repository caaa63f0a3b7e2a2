"""What a process is running, written on memory that its supervisor shares and that outlives it.

Writing a line costs a fraction of a microsecond and no system call, so that it can be done for each
job. Moments are of the monotonic clock, which is the same for all processes of a machine.
"""

import mmap
import struct
import tempfile
import threading
from typing import IO, NamedTuple
from uuid import UUID

_BEAT = struct.Struct("d")
_LINE = struct.Struct("16sdd")
_EMPTY = bytes(_LINE.size)
NEVER = float("inf")


class Running(NamedTuple):
    """A job that runs: since when, and when its process is to be killed if it still does."""

    id: UUID
    since: float
    kill_at: float


class Board:
    """One process's board; it has a line for each job that may run at once.

    The process itself writes, from any thread; its supervisor reads, at any time.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._lines = (len(memory) - _BEAT.size) // _LINE.size
        self._free = list(reversed(range(self._lines)))
        self._lock = threading.Lock()

    @classmethod
    def make(cls, lines: int) -> "tuple[Board, IO[bytes]]":
        """A new board and the file whose descriptor the other process is to inherit."""
        size = _BEAT.size + lines * _LINE.size
        file = tempfile.TemporaryFile()  # noqa: SIM115  (whoever gets it closes it)
        file.truncate(size)
        return cls(mmap.mmap(file.fileno(), size)), file

    @classmethod
    def inherited(cls, descriptor: int) -> "Board":
        """The board behind an inherited descriptor."""
        return cls(mmap.mmap(descriptor, 0))

    def enter(self, id: UUID, since: float, kill_at: float = NEVER) -> int | None:
        """Writes that a job runs, and gives its line; None if all are taken."""
        with self._lock:
            if not self._free:
                return None
            line = self._free.pop()
        _LINE.pack_into(self._memory, _BEAT.size + line * _LINE.size, id.bytes, since, kill_at)
        self.beat(since)
        return line

    def leave(self, line: int | None) -> None:
        """Wipes a line."""
        if line is None:
            return
        start = _BEAT.size + line * _LINE.size
        self._memory[start : start + _LINE.size] = _EMPTY
        with self._lock:
            self._free.append(line)

    def beat(self, now: float) -> None:
        """Writes that the process is well."""
        _BEAT.pack_into(self._memory, 0, now)

    def last_beat(self) -> float:
        """When the process was last well; 0.0 if it has not said so yet."""
        moment: float = _BEAT.unpack_from(self._memory, 0)[0]
        return moment

    def running(self) -> list[Running]:
        """What runs, or ran when the process died."""
        found = []
        for line in range(self._lines):
            id, since, kill_at = _LINE.unpack_from(self._memory, _BEAT.size + line * _LINE.size)
            if since:
                found.append(Running(UUID(bytes=id), since, kill_at))
        return found

    def close(self) -> None:
        self._memory.close()
