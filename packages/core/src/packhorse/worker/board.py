"""What a process is running, written on memory that its supervisor shares and that outlives it.

Writing a line costs a fraction of a microsecond and no system call, so that it can be done for each
job. Moments are of the monotonic clock, which is the same for all processes of a machine.
"""

import mmap
import os
import struct
import tempfile
from typing import NamedTuple
from uuid import UUID

_HEAD = struct.Struct("dd")  # the last beat, and until when the process counts as well
_MOMENT = struct.Struct("d")
_LINE = struct.Struct("16sd?d")  # in this order: without its last number a line is not there
_EMPTY = bytes(_LINE.size)
NEVER = float("inf")


class Running(NamedTuple):
    """A job that has started: since when, when its process is to be killed if it still runs, and whether
    it runs `alone`, in a process of its own.

    While the line is written or wiped that moment may be 0.0, which says nothing.
    """

    id: UUID
    since: float
    kill_at: float
    alone: bool = False


class Board:
    """One process's board; it has a line for each job that has started and is not settled.

    The process itself writes, from any thread; its supervisor reads, at any time, also what is half
    written.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._lines = (len(memory) - _HEAD.size) // _LINE.size
        self._free = list(reversed(range(self._lines)))

    @classmethod
    def make(cls, lines: int) -> "tuple[Board, int]":
        """A new board and the descriptor that the other process is to inherit."""
        size = _HEAD.size + lines * _LINE.size
        descriptor = _shared(size)
        return cls(mmap.mmap(descriptor, size)), descriptor

    @classmethod
    def inherited(cls, descriptor: int) -> "Board":
        """The board behind an inherited descriptor."""
        return cls(mmap.mmap(descriptor, 0))

    def enter(
        self, id: UUID, since: float, kill_at: float = NEVER, alone: bool = False
    ) -> int | None:
        """Writes that a job has started, and gives its line; None if all are taken."""
        try:
            line = self._free.pop()
        except IndexError:
            return None
        _LINE.pack_into(self._memory, _start(line), id.bytes, kill_at, alone, since)
        return line

    def is_over(self, line: int | None) -> None:
        """Writes that a job's handler has ended; until it is settled it keeps its line."""
        if line is not None:
            _MOMENT.pack_into(self._memory, _start(line) + 16, NEVER)

    def leave(self, line: int | None) -> None:
        """Wipes a line."""
        if line is not None:
            self._memory[_start(line) : _start(line + 1)] = _EMPTY
            self._free.append(line)

    def beat(self, now: float) -> None:
        """Writes that the process lives."""
        _MOMENT.pack_into(self._memory, 0, now)

    def last_beat(self) -> float:
        """When the process said last that it lives; 0.0 if it has not yet."""
        moment: float = _MOMENT.unpack_from(self._memory, 0)[0]
        return moment

    def say_well(self, until: float) -> None:
        """Writes that the broker has answered, and until when that is lately."""
        _MOMENT.pack_into(self._memory, _MOMENT.size, until)

    def well_until(self) -> float:
        """Until when the process counts as in contact with its broker."""
        moment: float = _MOMENT.unpack_from(self._memory, _MOMENT.size)[0]
        return moment

    def running(self) -> list[Running]:
        """What has started, or had when the process died, and was not settled."""
        found = []
        for id, kill_at, alone, since in _LINE.iter_unpack(self._memory[_HEAD.size :]):
            if since:
                found.append(Running(UUID(bytes=id), since, kill_at, alone))
        return found

    def close(self) -> None:
        self._memory.close()


def _start(line: int) -> int:
    return _HEAD.size + line * _LINE.size


def _shared(size: int) -> int:
    """A descriptor of so much memory; of a file where the system has nothing better."""
    if hasattr(os, "memfd_create"):  # a file needs a folder to write to, and room on its disk
        descriptor = os.memfd_create("packhorse")
    else:
        descriptor, path = tempfile.mkstemp()
        os.unlink(path)
    os.ftruncate(descriptor, size)
    return descriptor
