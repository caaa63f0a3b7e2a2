"""Reserves what the worker can start soon, and hands each delivery to the runner for its kind."""

import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from packhorse import events
from packhorse.driver.abilities import Rescues
from packhorse.driver.contract import Consumer
from packhorse.driver.message import Delivery
from packhorse.driver.outcome import Done
from packhorse.errors import ConnectionLost, InvalidPayload
from packhorse.registry import find
from packhorse.wire.seal import open_envelope
from packhorse.worker.attempt import Again, Bury, Finish, unknown
from packhorse.worker.closing import Settlement, bury, close, close_buried, give_back, wait_for_name
from packhorse.worker.companion import Companion
from packhorse.worker.execution import Execution
from packhorse.worker.gate import Gate, asks
from packhorse.worker.hand import Hand
from packhorse.worker.plan import Limits, to_reserve, trouble_pause
from packhorse.worker.site import Site
from packhorse.worker.threads import thread

_log = logging.getLogger("packhorse.worker")


class Fetcher:
    """A thread that reserves. `stop` may be called from any thread."""

    def __init__(
        self,
        site: Site,
        consumer: Consumer,
        hand: Hand,
        queues: Sequence[str],
        *,
        concurrency: int,
        limits: Limits,
        sleep: float,
        unknown_limit: int,
        companion: Companion | None,
        submit: Callable[[Execution], None],
        settle: Callable[[Settlement], None],
        troubled: Callable[[Exception, float], None],
        noticed: Callable[[], None],
        rested: Callable[[], None],
    ) -> None:
        self._site = site
        self._consumer = consumer
        self._hand = hand
        self._queues = tuple(queues)
        self._concurrency = concurrency
        self._limits = limits
        self._sleep = sleep
        self._unknown_limit = unknown_limit
        self._companion = companion
        self._submit = submit
        self._settle = settle
        self._troubled = troubled
        self._noticed = noticed
        self._rested = rested
        self._gate = Gate(site.app)
        self._paused: frozenset[str] = frozenset()
        self._held_back: frozenset[str] = frozenset()
        self._halted = False
        self._unsure = False
        self._failures = 0
        self._stopping = threading.Event()
        self._thread = thread("fetch", self._work)
        self.idle_since: float | None = None
        self.empty = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Reserves no more; what is on its way still arrives in the hand."""
        self._stopping.set()
        self._consumer.wake()
        self._hand.room.set()
        self._thread.join()

    def hold_back(self, queues: Collection[str]) -> None:
        """Takes nothing of these queues, whatever the broker says; from any thread."""
        before, self._held_back = self._held_back, frozenset(queues)
        if before != self._held_back:
            self._look_again()

    def halt(self, halted: bool) -> None:
        """Takes nothing at all while it is `halted`; from any thread."""
        self._halted = halted
        self._look_again()

    def _look_again(self) -> None:
        self._consumer.wake()
        self._hand.room.set()

    def _work(self) -> None:
        while not self._stopping.is_set():
            if pause := self.turn():
                self._stopping.wait(pause)

    def turn(self) -> float:
        """Reserves once; gives the seconds to pause before the next turn."""
        try:
            if self._failures:
                self._rescue()
            self._round()
            self._failures = 0
            return 0.0
        except Exception as error:  # whatever the driver does, the worker goes on
            self._failures += 1
            pause = trouble_pause(self._failures, random.random())
            self._troubled(error, pause)
            return pause

    def _round(self) -> None:
        limits, hand = self._limits, self._hand
        hand.room.clear()
        load = hand.load()
        # What is in hand may still run; what never runs, unreadable or cancelled, does not count.
        left = None if limits.max_jobs is None else limits.max_jobs - hand.jobs - load.held
        wanted = to_reserve(load, self._concurrency, left)
        queues = self._open_queues()
        if not (wanted and queues):
            if not queues:
                self._stand_by()
            hand.room.wait(1.0)
            return
        waits = not (limits.stop_when_empty or self._unsure)
        self._tell_popping(wanted)
        busy = bool(hand.held)
        reserved = self._consumer.reserve(queues, wanted, self._sleep if waits else 0.0)
        self._see_paused(reserved.paused | self._held_back)
        arrived = time.monotonic()
        self._start([self._look_at(one, arrived) for one in self._recall(reserved.deliveries)])
        # What was in hand when more was asked for may have sent more since: another look tells.
        self._unsure = busy and not hand.held and not reserved.deliveries
        if reserved.deliveries or busy or hand.held:
            self.idle_since = None
            if not reserved.deliveries and not waits:
                hand.room.wait(0.05)
        else:
            self._be_idle()

    def _open_queues(self) -> Sequence[str]:
        """The queues from which it may take something now."""
        if self._halted:
            return ()
        if not self._held_back:
            return self._queues
        return [queue for queue in self._queues if queue not in self._held_back]

    def _stand_by(self) -> None:
        self._see_paused(self._held_back)
        if not self._hand.held:
            self._rested()  # it asks for nothing, so no answer is missed
            if not self._halted:
                self._be_idle()

    def _be_idle(self) -> None:
        self.empty = True
        if self.idle_since is None:
            self.idle_since = self._hand.emptied
            self._noticed()
            if self._site.bus.hears(events.WorkerIdle):
                self._site.bus.emit(events.WorkerIdle(**self._facts()))

    def _recall(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """What came again, as the store knows it; what is dead already is only taken off the broker."""
        if self._companion is None or not deliveries:
            return deliveries
        failures = 0
        while True:
            try:
                known, buried = self._companion.recall(deliveries)
                break
            except ConnectionLost as error:
                if self._stopping.is_set():
                    return ()
                failures += 1
                pause = trouble_pause(failures, random.random())
                self._troubled(error, pause)
                self._stopping.wait(pause)
        for delivery in known:
            if delivery.message.id in buried:
                self._hand.held[delivery.token] = None
                self._settle(close_buried(delivery, self._site))
        return [one for one in known if one.message.id not in buried]

    def _start(self, executions: Sequence[Execution | None]) -> None:
        """To the runners; those that must ask a store first do so together, behind the others."""
        asking = []
        for execution in executions:
            if execution is None:
                continue
            if asks(execution):
                asking.append(execution)
            else:
                self._hand.take(execution)
                self._submit(execution)
        if not asking:
            return
        try:
            admitted = set(self._gate.admit(asking))
        except Exception:
            for execution in asking:
                self._settle(give_back(execution))
            raise
        for execution in asking:
            if execution not in admitted:  # a copy of what was taken up before
                self._settle(Settlement(Done(execution.delivery), execution.envelope.job))
            elif isinstance(execution.verdict, Finish | Again):
                self._settle(close(execution, execution.verdict))
            else:
                self._hand.take(execution)
                self._submit(execution)

    def _look_at(self, delivery: Delivery, arrived: float) -> Execution | None:
        """A delivery, opened; None if it went back with an outcome, since nobody here can run it."""
        try:
            return self._open(delivery, arrived)
        except Exception:  # a codec that cannot write, a bug: the others must not suffer
            _log.exception("a message could not be looked at, its lease will run out")
            self._hand.drop([delivery.token])
            return None

    def _open(self, delivery: Delivery, arrived: float) -> Execution | None:
        site = self._site
        self._hand.held[delivery.token] = None
        try:
            envelope = open_envelope(delivery.message.body)
        except InvalidPayload as error:
            self._settle(bury(delivery, None, Bury(str(error), error), site))
            return None
        definition = find(envelope.job)
        if definition is None:
            delay = unknown(envelope.unknown, self._unknown_limit)
            if delay is None:
                reason = f"no worker knows a job called {envelope.job!r}"
                self._settle(bury(delivery, envelope, Bury(reason), site))
            else:
                self._settle(wait_for_name(delivery, envelope, delay))
            return None
        execution = Execution(site, delivery, envelope, definition, arrived)
        execution.open()
        if site.bus.hears(events.JobPopped):
            self._tell_popped(execution)
        return execution

    def _rescue(self) -> None:
        """A reservation whose reply was lost is given back at once, where the broker can."""
        driver: object = self._site.connection.driver
        if isinstance(driver, Rescues):
            driver.rescue(self._site.worker, keep=set(self._hand.held))

    def _see_paused(self, paused: frozenset[str]) -> None:
        if paused == self._paused:
            return
        bus = self._site.bus
        if bus.hears(events.WorkerQueuePaused):
            for name in sorted(paused - self._paused):
                bus.emit(events.WorkerQueuePaused(queue=name, **self._facts()))
        if bus.hears(events.WorkerQueueResumed):
            for name in sorted(self._paused - paused):
                bus.emit(events.WorkerQueueResumed(queue=name, **self._facts()))
        self._paused = paused

    def _tell_popping(self, limit: int) -> None:
        if self._site.bus.hears(events.JobPopping):
            self._site.bus.emit(
                events.JobPopping(
                    connection=self._site.connection.name, queues=self._queues, limit=limit
                )
            )

    def _tell_popped(self, execution: Execution) -> None:
        delivery = execution.delivery
        self._site.bus.emit(
            events.JobPopped(
                id=delivery.message.id,
                job=execution.envelope.job,
                queue=delivery.message.queue,
                connection=self._site.connection.name,
                deliveries=delivery.deliveries,
                worker=self._site.worker,
            )
        )

    def _facts(self) -> dict[str, Any]:
        return {
            "worker": self._site.worker,
            "connection": self._site.connection.name,
            "queues": self._queues,
        }
