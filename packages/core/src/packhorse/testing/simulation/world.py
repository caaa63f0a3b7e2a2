"""One thread, a clock that is moved by hand, and a seed that decides who goes next.

Everything that a program does at some moment is a turn of an `Actor`. While a turn makes a call to a
broker or a store, or pauses, other turns may come in between: a call is a *seam*.
"""

import heapq
import os
import random
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import NoReturn
from uuid import UUID

from packhorse.testing.clock import ManualClock

DEPTH = 3
"""How many turns may be under way at once, each in a seam of the one before it."""

TRACE = 20_000
"""The last lines of what happened, which are kept."""

STORY = 60
"""Lines of the story of a broken promise, at most."""

SLACK = 5.0
"""Seconds that a turn may come late, or take, without being in trouble."""

_NAME = re.compile(r"\b[0-9a-f]{6}\b")

Turn = Callable[[], float | None]
"""What an actor does; gives the seconds until its next turn, None: when it is woken."""


class Crash(BaseException):
    """The process is gone: nothing that it would have done next is done."""


class BrokenPromise(BaseException):
    """What the simulation has found, and its story; no `except Exception` on its way may swallow it."""

    def __init__(self, text: str, story: list[str]) -> None:
        super().__init__(text)
        self.story = story


class Process:
    """What dies, and stands still, as a whole: a worker or a program that dispatches."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.still_until = 0.0
        self.troubled = 0.0


class Actor:
    """One thread of a process."""

    def __init__(self, process: Process, name: str, turn: Turn) -> None:
        self.process = process
        self.name = name
        self.turn = turn
        self.due: float | None = None
        self.busy = False
        self.pause: float | None = None


class World:
    """The clock, the agenda and the dice."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.clock = ManualClock(monotonic=1_000_000.0)
        self.turns = 0
        self.trace: deque[str] = deque(maxlen=TRACE)
        self.seams = 0.3
        self.stack: list[Actor] = []
        self.crashed: Callable[[Process], None] = lambda process: None
        self._agenda: list[tuple[float, float, int, Actor]] = []
        self._numbers = count()

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    @property
    def process(self) -> Process | None:
        """Whose turn it is."""
        return self.stack[-1].process if self.stack else None

    def tell(self, text: str) -> None:
        """Writes a line of the trace."""
        name = self.stack[-1].process.name if self.stack else "-"
        self.trace.append(f"{self.now - 1_000_000.0:11.3f}  {name:9} {text}")

    def fail(self, text: str) -> NoReturn:
        """A promise is broken; `text` names messages as the trace does."""
        names = set(_NAME.findall(text))
        lines = [line for line in self.trace if not names.isdisjoint(_NAME.findall(line))]
        raise BrokenPromise(text, lines[-STORY:] or list(self.trace)[-STORY:])

    def wake(self, actor: Actor, within: float = 0.0) -> None:
        """The actor has a turn soon, however long it meant to pause."""
        if actor.busy:
            actor.pause = within if actor.pause is None else min(within, actor.pause)
            return
        at = self.now + within
        if actor.due is None or at < actor.due:
            actor.due = at
            # Who is due at the same moment goes in an order that the dice decide.
            entry = (at, self.dice.random(), next(self._numbers), actor)
            heapq.heappush(self._agenda, entry)

    def step(self, until: float) -> bool:
        """Gives one turn to whoever is next, if that is before some moment."""
        while self._agenda and self._agenda[0][0] <= until:
            at, _, _, actor = heapq.heappop(self._agenda)
            process = actor.process
            if process.dead or actor.busy or actor.due != at:
                continue
            actor.due = None
            if process.still_until > at:
                self.wake(actor, max(0.0, process.still_until - self.now) + self.dice.random())
                continue
            self._advance(at)
            self._give_turn(actor)
            return True
        return False

    def run(self, seconds: float) -> None:
        """Lets so many seconds pass, with all that happens in them."""
        end = self.now + seconds
        while self.step(end):
            pass
        self._advance(end)

    def seam(self) -> None:
        """Others may go on here; raises `Crash` if the process in whose turn this is did not survive."""
        if len(self.stack) < DEPTH and self.dice.random() < self.seams:
            for _ in range(self.dice.choice((1, 1, 2, 5))):
                self.step(self.now + 0.2)
        self.survive()

    def sleep(self, seconds: float) -> None:
        """The turn that is under way pauses."""
        end = self.now + seconds
        while len(self.stack) < DEPTH and self.step(end):
            pass
        self._advance(end)
        self.survive()

    def survive(self) -> None:
        process = self.process
        if process is not None and process.dead:
            raise Crash

    def die(self, why: str) -> None:
        """The process in whose turn this is dies."""
        assert self.process is not None
        self.tell(f"dies {why}")
        self.process.dead = True
        raise Crash

    def _give_turn(self, actor: Actor) -> None:
        self.turns += 1
        began = self.now
        actor.busy, actor.pause = True, None
        self.stack.append(actor)
        pause = None
        try:
            pause = actor.turn()
        except Crash:
            pass
        finally:
            self.stack.pop()
            actor.busy = False
        process = actor.process
        if self.now > began + SLACK:
            process.troubled = self.now
        if process.dead:
            if not any(one.process is process for one in self.stack):
                self.crashed(process)
            return
        pauses = [each for each in (pause, actor.pause) if each is not None]
        if pauses:
            self.wake(actor, min(pauses))

    def _advance(self, to: float) -> None:
        if to > self.now:
            self.clock.advance(to - self.now)


def short(id: UUID) -> str:
    """An id as a trace shows it."""
    return id.hex[-6:]


@contextmanager
def bewitched(world: World) -> Iterator[None]:
    """In the block, the standard library tells the world's time and draws from its dice."""
    clock, dice = world.clock, random.Random(world.dice.random())
    replaced = {
        (time, "time"): clock.wall,
        (time, "time_ns"): lambda: int(clock.wall() * 1e9),
        (time, "monotonic"): clock.monotonic,
        (os, "urandom"): dice.randbytes,
        (random, "random"): dice.random,
    }
    before = {(module, name): getattr(module, name) for module, name in replaced}
    for (module, name), function in replaced.items():
        setattr(module, name, function)
    try:
        yield
    finally:
        for (module, name), function in before.items():
            setattr(module, name, function)
