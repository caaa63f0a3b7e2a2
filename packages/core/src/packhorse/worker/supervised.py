"""The worker process's side of its supervision: what it is told, and what it says at its end."""

import os
import threading
from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from packhorse.worker.board import Board


class Died(Struct, frozen=True):
    """Another process has died: its name, its exit code (negative: the signal), why it was killed if
    it was, and which jobs it was running."""

    name: str
    code: int
    killed: str
    running: Sequence[UUID]


class Farewell(Struct, frozen=True):
    """What a process says when it ends by itself."""

    reason: str


class Link(Struct, frozen=True):
    """What a process needs of its supervisor: its own name, and three inherited descriptors."""

    name: str
    told: int
    says: int
    board: int

    def as_text(self) -> str:
        """For the command line."""
        return f"{self.name}:{self.told}:{self.says}:{self.board}"

    @classmethod
    def from_text(cls, text: str) -> "Link":
        name, *descriptors = text.rsplit(":", 3)
        return cls(name, *map(int, descriptors))


class Supervised:
    """The link to the supervisor, in the process that is supervised."""

    def __init__(self, link: Link) -> None:
        self.name = link.name
        self.board = Board.inherited(link.board)
        self._told = link.told
        self._says = link.says
        for descriptor in (link.told, link.says, link.board):
            os.set_inheritable(descriptor, False)  # a job's own processes must not hold it open

    def listen(self, died: Callable[[Died], None], alone: Callable[[], None]) -> None:
        """Hears in a thread of its own of deaths, and of the supervisor's own."""

        def hear() -> None:
            with os.fdopen(self._told, "rb") as told:
                for line in told:
                    died(msgspec.json.decode(line, type=Died))
            alone()

        threading.Thread(target=hear, name="packhorse-supervised", daemon=True).start()

    def leave(self, reason: str) -> None:
        """Says that this process ends by itself, and why."""
        os.write(self._says, msgspec.json.encode(Farewell(reason)) + b"\n")
