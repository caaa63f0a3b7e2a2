"""Workers in slow motion: their real parts in one thread, under a clock that is moved by hand.

A rig is an app with one connection; each of its workers reserves, runs and settles when it is told
to, and may die at any call that it makes. Nothing sleeps.
"""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import packhorse.flow.start  # noqa: F401
from packhorse import Packhorse
from packhorse.driver.contract import Consumer, Driver, DriverSetup
from packhorse.driver.memory import MemoryTransport
from packhorse.driver.outcome import Done, Outcome, Settled
from packhorse.driver.url import Url
from packhorse.errors import ConnectionLost
from packhorse.flow.sweep import Sweep
from packhorse.options import NOTHING
from packhorse.store.contract import Answers, Group, Put, Store, Value
from packhorse.store.memory import MemoryStore
from packhorse.testing import ForwardingConsumer, ForwardingDriver, ManualClock
from packhorse.testing.simulation.fated import FatedStore, fated
from packhorse.worker import fetcher, settler
from packhorse.worker.attempt import Finish, Verdict
from packhorse.worker.closing import Settlement, close
from packhorse.worker.companion import Companion
from packhorse.worker.courier import Courier
from packhorse.worker.execution import Execution
from packhorse.worker.fetcher import Fetcher
from packhorse.worker.hand import Hand
from packhorse.worker.plan import Limits
from packhorse.worker.policy import Policies
from packhorse.worker.settler import Settler
from packhorse.worker.site import Site
from tests.unit.flow.fates import Fate, Fates

LEASE = 30.0


class Rig:
    """One broker, its store and an app; `kind` is a personality of memory, or "sqlite"."""

    def __init__(self, kind: str, folder: Path | None = None) -> None:
        self.clock = ManualClock(time.time(), time.monotonic())
        self.fates = Fates()
        self.ran: set[bytes] = set()
        self.settling: dict[UUID, bytes] = {}
        self._counted: set[bytes] = set()
        self.effects: Counter[UUID] = Counter()
        self._modules: list[Any] = [fetcher, settler]
        moving = SimpleNamespace(monotonic=self.clock.monotonic, time=self.clock.wall)
        for module in self._modules:
            module.time = moving
        url = f"sqlite:///{folder}/jobs.db" if kind == "sqlite" else f"memory://?like={kind}"
        self.app = Packhorse(url)
        self.app.__enter__()
        connection = self.app.connection()
        driver, store = self._open(Url.parse(url))
        watched = Watched(driver)
        watched.rig = self
        connection._driver = fated(watched, self.fates)
        connection._store = FatedStore(WatchedStore(store, self), self.fates)
        self._workers = 0

    def close(self) -> None:
        self.fates.decide(0, None)
        self.app.__exit__()
        for module in self._modules:
            module.time = time

    def takes_effect(self, id: UUID, token: bytes) -> None:
        """A run does what it was for, however often that is told."""
        if token not in self._counted:
            self._counted.add(token)
            self.effects[id] += 1

    def worker(self) -> "SlowWorker":
        self._workers += 1
        return SlowWorker(self, f"worker-{self._workers}")

    def drain(self, worker: "SlowWorker", rounds: int = 200) -> None:
        """Works off what is there, however long it is delayed or leased, and sweeps."""
        quiet = 0
        for _ in range(rounds):
            busy = worker.work()
            worker.sweep()
            self.clock.advance(LEASE + 1)
            quiet = 0 if busy else quiet + 1
            if quiet == 8:  # another sweeper takes over after three, and looks twice
                return
        raise AssertionError("it does not come to an end")

    def _open(self, url: Url) -> tuple[Driver, Store]:
        setup = DriverSetup(lease=LEASE, clock=self.clock)
        if url.scheme == "sqlite":
            from packhorse_sql.driver import SqlDriver
            from packhorse_sql.store import SqlStore

            return SqlDriver.open(url, setup), SqlStore(url, setup)
        driver = MemoryTransport.open(url, setup)
        return driver, MemoryStore(Url.parse("memory://"), setup)


class Watched(ForwardingDriver):
    """Counts, by message, the settlements by which a run took effect."""

    rig: Rig

    def consumer(self, worker: str) -> Consumer:
        consumer = WatchedConsumer(self, self.driver.consumer(worker))
        consumer.rig = self.rig
        return consumer


class WatchedStore(Store):
    """Counts the runs whose messages are marked as done before the broker is told."""

    def __init__(self, store: Store, rig: Rig) -> None:
        self._store = store
        self._rig = rig

    def read(self, keys: Sequence[str]) -> list[Value | None]:
        return self._store.read(keys)

    def apply(self, groups: Sequence[Group]) -> list[Answers | None]:
        answers = self._store.apply(groups)
        for action in (one for group in groups for one in group.actions):
            if isinstance(action, Put) and action.value == b"done":
                id = UUID(action.key.removeprefix("taken:"))
                if (token := self._rig.settling[id]) in self._rig.ran:
                    self._rig.takes_effect(id, token)
        return answers

    def close(self) -> None:
        self._store.close()


class WatchedConsumer(ForwardingConsumer):
    rig: Rig

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        answers = super().settle(outcomes)
        for outcome, answer in zip(outcomes, answers, strict=True):
            delivery = outcome.delivery
            if answer == "applied" and isinstance(outcome, Done) and delivery.token in self.rig.ran:
                self.rig.takes_effect(delivery.message.id, delivery.token)
        return answers


class Unhurried(Settler):
    """A settler that tries again at once."""

    def _pause(self, error: Exception, failures: int) -> None:
        assert failures < 5, error


class Room(threading.Event):
    """Nobody waits for room."""

    def wait(self, timeout: float | None = None) -> bool:
        return True


class SlowWorker:
    """A worker that does one thing at a time."""

    def __init__(self, rig: Rig, name: str) -> None:
        self.rig = rig
        app, connection = rig.app, rig.app.connection()
        site = Site(name, app, connection, Policies(NOTHING), app.formats.known_codecs(), ())
        self.hand = Hand(None, lambda: None)
        self.hand.room = Room()
        self.ready: list[Execution] = []
        self.closed: list[Settlement] = []
        consumer = connection.driver.consumer(name)
        companion = Companion.of(connection, name)
        courier = Courier(app, connection, name)
        self._settler = Unhurried(site, consumer, self.hand, companion, courier, _calm)
        self._fetcher = Fetcher(
            site,
            consumer,
            self.hand,
            ["default"],
            concurrency=3,
            limits=Limits(None, None, None, True, None),
            sleep=0.0,
            unknown_limit=3,
            companion=companion,
            submit=self.ready.append,
            settle=self.closed.append,
            troubled=_calm,
            noticed=lambda: None,
            rested=lambda: None,
        )
        self._sweep = Sweep(app.batches.tally(connection.name), name)

    def fetch(self, calls: int = 0, fate: Fate | None = None) -> None:
        """Reserves, and lets what it got pass the gate."""
        self.rig.fates.decide(calls, fate)
        try:
            self._fetcher._round()
        except ConnectionLost:
            self._fetcher._rescue()
        finally:
            self.rig.fates.decide(0, None)

    def run(self) -> bool:
        """Runs what it got first; False if there is nothing."""
        if not self.ready:
            return False
        execution = self.ready.pop(0)
        self.hand.claim(execution)
        verdict: Verdict | None = execution.prepare()
        if verdict is None:
            verdict = execution.conclude(execution.run())
            if isinstance(verdict, Finish):
                self.rig.ran.add(execution.delivery.token)
        self.closed.append(close(execution, verdict))
        return True

    def settle(self, calls: int = 0, fate: Fate | None = None) -> bool:
        """Tells the broker of all that has run; False if there is nothing."""
        group, self.closed[:] = list(self.closed), []
        if not group:
            return False
        deliveries = [each.outcome.delivery for each in group if each.execution is not None]
        self.rig.settling = {one.message.id: one.token for one in deliveries}
        self.rig.fates.decide(calls, fate)
        try:
            self._settler._settle(group)
        finally:
            self.rig.fates.decide(0, None)
        return True

    def sweep(self, calls: int = 0, fate: Fate | None = None) -> None:
        """Looks after the batches."""
        self.rig.fates.decide(calls, fate)
        try:
            self._sweep.run()
        except ConnectionLost:
            pass
        finally:
            self.rig.fates.decide(0, None)

    def work_once(self) -> None:
        """Fetches, and runs and settles what it got."""
        self.fetch()
        while self.run():
            pass
        self.settle()

    def work(self) -> bool:
        """Fetches, runs and settles until nothing comes any more; whether anything came."""
        busy = False
        while True:
            self.fetch()
            got = bool(self.ready or self.closed)
            while self.run():
                pass
            while self.settle():
                pass
            if not got:
                return busy
            busy = True


def _calm(error: Exception, pause: float) -> None:
    """Whoever runs the rig knows of the trouble: it made it."""
