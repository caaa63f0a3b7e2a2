"""One simulation: workers, clients and a supervisor under a seed, and at the end what must hold."""

import random
from collections import Counter
from collections.abc import Callable
from itertools import count

from msgspec import Struct

from packhorse.app import Packhorse
from packhorse.driver.contract import Driver, DriverSetup
from packhorse.driver.memory import MemoryTransport
from packhorse.driver.url import Url
from packhorse.flow import ledger
from packhorse.store.contract import Store
from packhorse.store.memory import MemoryStore
from packhorse.testing.simulation.fated import FatedStore, fated
from packhorse.testing.simulation.load import WINDOW, Client, Load, Pushed, lasts
from packhorse.testing.simulation.slow import SlowWorker
from packhorse.testing.simulation.truth import Truth
from packhorse.testing.simulation.watched import Watched
from packhorse.testing.simulation.weather import Weather, WeatherFates
from packhorse.testing.simulation.world import (
    Actor,
    BrokenPromise,
    Process,
    World,
    bewitched,
    short,
)

LEASE = 30.0

PATIENCE = 48 * 3600.0
"""Seconds within which everything must be worked off when all is calm."""

Open = Callable[[DriverSetup], Driver]


class Report(Struct, frozen=True):
    """What a simulation came to: turns of actors, handlers run, hours of all workers together."""

    seed: int
    turns: int
    jobs: int
    pushed: int
    crashes: int
    worker_hours: float


class Found(AssertionError):
    """A broken promise, with the seed that shows it, what happened before, and the part of that which
    is the `story` of the messages concerned."""

    def __init__(self, seed: int, text: str, story: list[str], trace: list[str]) -> None:
        super().__init__(f"seed {seed}: {text}")
        self.seed = seed
        self.story = story
        self.trace = trace


class Play:
    """The stage; `opened` makes the driver, memory with the limits of `like` by default."""

    def __init__(self, seed: int, like: str = "memory", opened: Open | None = None) -> None:
        self.world = world = World(seed)
        dice = world.dice
        world.seams = dice.choice((0.0, 0.1, 0.3, 0.6))
        rare = [0.0, 0.002, 0.01, 0.04]
        weather = Weather(
            dice.choice(rare), dice.choice(rare), dice.choice(rare[:3]), dice.choice(rare[:2])
        )
        self.fates = WeatherFates(world, weather)
        self.pushing = dice.choice((0.5, 3.0, 20.0))
        self.crashes = 0
        self.workers: list[SlowWorker] = []
        self.seconds = 0.0
        url = Url.parse(f"memory://?like={like}")
        setup = DriverSetup(lease=LEASE, clock=world.clock)
        driver = MemoryTransport.open(url, setup) if opened is None else opened(setup)
        if driver.capabilities.fencing == "clock":
            self.fates.steady = frozenset({"settle"})
        self.truth = Truth(world, driver, LEASE)
        self.truth.awake = self._push_wakes
        watched = Watched(driver)
        watched.truth = self.truth
        self.driver = watched
        self.app = Packhorse(str(url))
        connection = self.app.connection()
        connection._driver = fated(watched, self.fates)
        self.store: Store = MemoryStore(Url.parse("memory://"), setup)
        connection._store = FatedStore(self.store, self.fates)
        self.load = Load(world, self.app, self.truth)
        self.world.crashed = self._crashed
        self._names = count(1)

    def run(self, turns: int, workers: int = 3) -> None:
        """So many turns under the weather of the seed, then calm until all is worked off."""
        with self.app:
            for _ in range(workers):
                self._hire(self.world.dice.random())
            self._new_client()
            began = self.world.now
            while self.world.turns < turns:
                self.world.run(10.0)
            self._calm()
            self.finish()
            self.seconds = (self.world.now - began) * workers

    def finish(self) -> None:
        """Works everything off, and checks what must have become of it."""
        self._work_off()
        for one in self.load.pushed:
            self._check(one)
        self.world.run(WINDOW + 1)
        last = [self.load.fresh(key) for key in sorted(self.load.keys)]
        self._work_off()
        for number, key in zip(last, sorted(self.load.keys), strict=True):
            if not self.truth.runs.effects[number]:
                self.world.fail(f"key {key!r} outlives all that held it")

    def _work_off(self) -> None:
        end = self.world.now + PATIENCE
        while self._left():
            if self.world.now > end:
                self.world.fail(f"it does not come to an end: {self._left()}")
            self.world.run(30.0)

    def _left(self) -> str:
        counts = self.driver.counts("default")
        if counts.ready or counts.delayed or counts.reserved or counts.parked:
            return str(counts)
        for one in self.load.pushed:
            if one.batch is not None and not one.batch.refresh().finished:
                return f"batch {short(one.id)} of {self.truth.members(one.id)}: {one.batch.numbers}"
        (waiting,) = self.store.read([ledger.OPEN])
        return "callbacks of batches" if waiting else ""

    def _check(self, one: Pushed) -> None:
        effects, name = self._effects(), f"{one.kind} {short(one.id)}"
        done = [effects[number] for number in one.numbers]
        if one.kind == "chain":
            stop = one.good.index(False) if False in one.good else len(one.good)
            if done != [1] * stop + [0] * (len(done) - stop):
                self.world.fail(f"{name}: its links took effect {done} times")
            if effects[one.catch] != (stop < len(done)):
                self.world.fail(f"{name}: caught {effects[one.catch]} times")
        elif one.batch is None:
            if done != [int(good) for good in one.good]:
                self.world.fail(f"{name} took effect {done} times")
            if not one.good[0] and self.app.failed.get(one.id) is None:
                self.world.fail(f"{name} failed, and no record was kept")
        else:
            self._check_batch(one, done, f"{name} of {self.truth.members(one.id)}")

    def _effects(self) -> Counter[int]:
        """How often each job took effect; where only the clock fences, twice is as good as once."""
        effects = self.truth.runs.effects
        by_broker = self.truth.capabilities.fencing == "broker"
        return effects if by_broker else Counter(list(effects))

    def _check_batch(self, one: Pushed, done: list[int], name: str) -> None:
        assert one.batch is not None
        numbers, effects = one.batch.refresh().numbers, self._effects()
        if one.id in self.truth.early:
            self.world.fail(f"{name}: {self.truth.early[one.id]}")
        if numbers.pending or numbers.total != len(done):
            self.world.fail(f"{name} counts {numbers}, it has {len(done)} members")
        if numbers.state == "succeeded" and done != [1] * len(done):
            self.world.fail(f"{name} has succeeded, its members took effect {done} times")
        if not numbers.cancelled and numbers.failed != one.good.count(False):
            self.world.fail(f"{name} counts {numbers.failed} failed, of {one.good}")
        told = [effects[each] for each in (one.then, one.catch, one.finally_)]
        if told != [numbers.state == "succeeded", numbers.failed > 0, True]:
            self.world.fail(f"{name}, {numbers.state}: it was called back {told} times")

    def _hire(self, within: float) -> None:
        name = f"worker-{next(self._names)}"
        dice = self.world.dice
        worker = SlowWorker(
            self.world, self.app, self.truth, name, dice.choice((1, 2, 4)), ("default",), lasts
        )
        self.workers.append(worker)
        self.world.wake(worker.boot, within)

    def _new_client(self) -> None:
        client = Client(f"client-{next(self._names)}")
        self.world.wake(Actor(client, "push", self._push), self.pushing)

    def _push(self) -> float | None:
        if self.fates.weather == Weather():
            return None
        self.load.push()
        if self.world.dice.random() < 0.02:
            self.load.cancel()
        return self.pushing * 2 * self.world.dice.random()

    def _push_wakes(self) -> None:
        for worker in self.workers:
            if worker.parts is not None and self.world.dice.random() >= self.fates.weather.deaf:
                self.world.wake(worker.fetch, 0.001)

    def _crashed(self, process: Process) -> None:
        self.crashes += 1
        if isinstance(process, SlowWorker):
            self.workers.remove(process)
            dice = self.world.dice
            if dice.random() < 0.5 and hasattr(self.driver.driver, "rescue"):
                self.driver.rescue(process.name, (), self.truth.runs.in_process(process))
            self._hire(dice.choice((0.0, 1.0, 40.0)))
        else:
            self._new_client()

    def _calm(self) -> None:
        self.world.tell("from here on all is calm")
        self.fates.weather = Weather()


def simulate(
    seed: int, turns: int = 4_000, like: str = "memory", opened: Open | None = None
) -> Report:
    """Runs one simulation; raises `Found` for a broken promise."""
    state = random.getstate()
    play = Play(seed, like, opened)
    try:
        with bewitched(play.world):
            play.run(turns)
    except BrokenPromise as error:
        raise Found(seed, str(error), error.story, list(play.world.trace)) from error
    finally:
        random.setstate(state)
        play.app.close()
    hours = play.seconds / 3600
    return Report(
        seed, play.world.turns, play.truth.runs.jobs, len(play.load.pushed), play.crashes, hours
    )
