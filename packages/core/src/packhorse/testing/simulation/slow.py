"""A worker in slow motion: all its real parts, whose threads are actors that have turns."""

import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from packhorse.connection import Connection
from packhorse.errors import ConnectionLost
from packhorse.flow.sweep import EVERY
from packhorse.options import NOTHING
from packhorse.testing.simulation.world import SLACK, Actor, Process, World
from packhorse.worker.attempt import Ending
from packhorse.worker.execution import Execution
from packhorse.worker.parts import Parts
from packhorse.worker.plan import Limits
from packhorse.worker.runner import Runner, Terms
from packhorse.worker.time_up import TimeUp

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.testing.simulation.truth import Truth

SLEEP = 20.0
"""Seconds that an idle worker waits for a push that wakes it."""

Lasts = Callable[[Execution], float]
"""For how many seconds a handler runs."""


class Room(threading.Event):
    """Nobody waits for room: who would has a turn when there is some."""

    def __init__(self, world: World, waiting: Callable[[], Actor]) -> None:
        super().__init__()
        self._world = world
        self._waiting = waiting

    def set(self) -> None:
        self._world.wake(self._waiting(), 0.001)

    def wait(self, timeout: float | None = None) -> bool:
        self._world.wake(self._waiting(), 1.0 if timeout is None else timeout)
        return True


class Pausing(threading.Event):
    """What a thread waits for when it pauses: others go on meanwhile."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def wait(self, timeout: float | None = None) -> bool:
        self._world.sleep(timeout or 0.0)
        return False


class SlowWorker(Process):
    """A process with one worker in it; it starts when it has its first turn."""

    def __init__(
        self,
        world: World,
        app: "Packhorse",
        truth: "Truth",
        name: str,
        concurrency: int,
        queues: tuple[str, ...],
        lasts: Lasts,
    ) -> None:
        super().__init__(name)
        self.world = world
        self.truth = truth
        self.parts: Parts | None = None
        self.lasts = lasts
        self._app = app
        self._concurrency = concurrency
        self._queues = queues
        self.boot = Actor(self, "boot", self._start)
        self.fetch = Actor(self, "fetch", self._fetch)
        self.settle = Actor(self, "settle", self._settle)
        self.keep = Actor(self, "keep", self._keep)
        self.hold = Actor(self, "hold", self._hold)
        self.sweep = Actor(self, "sweep", self._sweep)
        self.relay = Actor(self, "relay", self._relay)

    @property
    def alive(self) -> Parts:
        assert self.parts is not None
        return self.parts

    def renews_late(self) -> bool:
        """Whether the keeper's turn is under way, or overdue."""
        due = self.keep.due
        return self.keep.busy or (due is not None and due < self.world.now - SLACK)

    def _start(self) -> float | None:
        connection: Connection = self._app.connection()
        try:
            parts = Parts(
                self._app,
                connection,
                self._queues,
                name=self.name,
                concurrency=self._concurrency,
                flags=NOTHING,
                limits=Limits(),
                sleep=SLEEP,
                rest=0.0,
                grace=30.0,
                board=None,
                imports=(),
                born=self.world.clock.wall(),
                noticed=lambda: None,
                restart=lambda: None,
                troubled=lambda error, pause: None,
            )
        except ConnectionLost:
            return 1.0
        self.world.tell("starts")
        runner = SlowRunner(self, parts, self._concurrency)
        parts.fetcher._submit = runner.submit
        parts.hand.room = Room(self.world, lambda: self.fetch)
        parts.fetcher._stopping = Pausing(self.world)
        parts.settler._giving_up = Pausing(self.world)
        self.parts = parts
        self.world.wake(self.fetch)
        self.world.wake(self.sweep, EVERY * self.world.dice.random())
        return None

    def look(self) -> None:
        """Wakes the threads for which there is something to do."""
        parts = self.alive
        if parts.settler.gathered:
            self.world.wake(self.settle, 0.002)
        if parts.hand.held:
            self.world.wake(self.keep, 1.0)
            self.world.wake(self.hold, 10.0)
        if parts.hand.started:
            self.world.wake(self.relay, 5.0)

    def _fetch(self) -> float | None:
        pause = self.alive.fetcher.turn()
        self.look()
        return pause or (None if self.fetch.pause is not None else 0.001)

    def _settle(self) -> float | None:
        if self.alive.settler.gathered:
            self.alive.settler.turn()
        return 0.002 if self.alive.settler.gathered else None

    def _keep(self) -> float | None:
        self.alive.keeper.turn()
        self.look()
        return 1.0 if self.alive.hand.held else None

    def _hold(self) -> float | None:
        pause = self.alive.holder.turn()
        return pause if self.alive.hand.held else None

    def _sweep(self) -> float | None:
        return EVERY if self.alive.sweeper.turn() else None

    def _relay(self) -> float | None:
        pause = self.alive.relay.turn()
        return 5.0 + pause if self.alive.hand.started else None


class SlowRunner(Runner):
    """Runs handlers at the end of the time that they take; one that is stopped ends at once."""

    def __init__(self, worker: SlowWorker, parts: Parts, concurrency: int) -> None:
        super().__init__(Terms(parts.hand, concurrency, 0.0, parts._finished))
        self._worker = worker
        self._ready: deque[Execution] = deque()
        self._running = 0
        self._stopped: set[int] = set()
        self._actors: dict[int, Actor] = {}
        self._begins = Actor(worker, "begin", self._take)

    def submit(self, execution: Execution) -> None:
        """Hands over an execution; it runs when there is room."""
        self._ready.append(execution)
        self._worker.world.wake(self._begins, 0.001)

    def _take(self) -> float | None:
        while self._ready and self._running < self._concurrency:
            execution = self._ready.popleft()
            if not self._claim(execution):
                continue
            verdict = self._begin(execution, self._stop)
            if verdict is not None:
                self._finished(execution, verdict)
                continue
            self._running += 1
            self._worker.truth.started(execution, self._worker)
            actor = Actor(self._worker, "job", partial(self._over, execution))
            self._actors[id(execution)] = actor
            self._worker.world.wake(actor, self._worker.lasts(execution))
        self._worker.look()
        return None

    def _stop(self, execution: Execution) -> None:
        self._stopped.add(id(execution))
        self._worker.world.wake(self._actors[id(execution)])

    def _over(self, execution: Execution) -> float | None:
        del self._actors[id(execution)]
        ending: Ending
        if id(execution) in self._stopped:
            self._stopped.discard(id(execution))
            ending = execution.ending(TimeUp())
        else:
            ending = self._variables(execution).run(execution.run)
        self._running -= 1
        verdict = self._end(execution, ending)
        self._worker.truth.runs.ended(execution, verdict)
        self._finished(execution, verdict)
        self._worker.look()
        return self._take()
