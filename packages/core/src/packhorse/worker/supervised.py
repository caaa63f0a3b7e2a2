"""The worker process's side of its supervision: what it is told, and what it says."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import UUID

import msgspec
from msgspec import Struct

from packhorse.worker.board import Board

BEAT = 1.0
"""Seconds between two signs of life."""


class Died(Struct, frozen=True, tag=True):
    """Another process has died: its name, its exit code (negative: the signal), why it was killed if
    it was, which jobs it had started and not settled, as far as they may have to do with it, and the
    most memory that it had, in bytes."""

    name: str
    code: int
    killed: str
    running: Sequence[UUID]
    memory: int = 0


class Hurry(Struct, frozen=True, tag=True):
    """The waiting for what still runs is over."""


class Ready(Struct, frozen=True, tag=True):
    """A process says that its settings are right, and that it can be told of deaths."""


class TakenOver(Struct, frozen=True, tag=True):
    """A process says that it has given back what a dead one held."""

    name: str


class Farewell(Struct, frozen=True, tag=True):
    """What a process says when it ends by itself."""

    reason: str


Told = Died | Hurry
Said = Ready | TakenOver | Farewell


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
    """The link to the supervisor, in the process that is supervised; `born` is its wall-clock start."""

    def __init__(self, link: Link) -> None:
        self.name = link.name
        self.born = time.time()
        self.board = Board.inherited(link.board)
        self._told = link.told
        self._says = link.says
        for descriptor in (link.told, link.says, link.board):
            os.set_inheritable(descriptor, False)  # a job's own processes must not hold it open

    def listen(
        self,
        died: Callable[[Died], None],
        hurry: Callable[[], None],
        alone: Callable[[], None],
    ) -> None:
        """Gives signs of life, and hears of deaths, of haste and of the supervisor's own end.

        In threads of their own, which nothing holds up but code that keeps the interpreter's lock.
        """

        def hear() -> None:
            with os.fdopen(self._told, "rb") as told:
                for line in told:
                    match msgspec.json.decode(line, type=Told):
                        case Died() as death:
                            threading.Thread(target=take_over, args=(death,), daemon=True).start()
                        case Hurry():
                            hurry()
            alone()

        def take_over(death: Died) -> None:
            died(death)
            self._say(TakenOver(death.name))

        def beat() -> None:
            while True:
                self.board.beat(time.monotonic())
                time.sleep(BEAT)

        threading.Thread(target=hear, name="packhorse-supervised", daemon=True).start()
        threading.Thread(target=beat, name="packhorse-beat", daemon=True).start()
        self._say(Ready())

    def leave(self, reason: str) -> None:
        """Says that this process ends by itself, and why."""
        self._say(Farewell(reason))

    def _say(self, message: Said) -> None:
        with suppress(BrokenPipeError):  # the supervisor is gone, and nobody wants to know
            os.write(self._says, msgspec.json.encode(message) + b"\n")
