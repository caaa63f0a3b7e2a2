"""A thread that writes to the store that this worker lives, and reads there what it is told.

Both are one call, about every ten seconds; while anything is paused, another asks for how long. A
store that is slow or away holds up nothing but this thread.
"""

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Collection, Sequence
from math import inf

from packhorse.control import Keys, LiveWorker, RunningJob, State, left, written
from packhorse.driver.abilities import Pauses
from packhorse.errors import PackhorseError, StoreRequired
from packhorse.store.contract import Absent, AddMembers, Condition, Equals, Group, Put, Value
from packhorse.worker.hand import Hand
from packhorse.worker.memory import resident
from packhorse.worker.site import Site
from packhorse.worker.threads import thread

BEAT = 10.0
"""Seconds between two beats, a tenth more or less."""

KEPT = 3.5 * BEAT
"""Seconds for which the store keeps what a worker wrote."""

SHOWN = 20
"""Running jobs that a worker tells of, at most."""

LEAST = 1.0
"""Seconds between two beats at least, unless what the worker does has changed."""

PATIENCE = 1.0
"""Seconds that a worker waits at most for the store, once when it starts and once when it ends."""

_log = logging.getLogger("packhorse.worker")


class Presence:
    """Beats for one worker of `queues`, which it began to be at the wall-clock moment `born`.

    `hold_back` is called with the queues that are paused by the store, `restart` when the worker is
    to make room for a new one; both in this thread.
    """

    def __init__(
        self,
        site: Site,
        hand: Hand,
        queues: Sequence[str],
        concurrency: int,
        born: float,
        *,
        hold_back: Callable[[Collection[str]], None],
        restart: Callable[[], None],
    ) -> None:
        driver: object = site.connection.driver
        self._site = site
        self._hand = hand
        self._queues = queues
        self._concurrency = concurrency
        self._born = born
        self._hold_back = hold_back
        self._restart = restart
        self._keys = Keys(site.connection.name)
        self._pauses = {self._keys.paused: list(queues)}
        if not isinstance(driver, Pauses):
            self._pauses |= {self._keys.paused_queue(queue): [queue] for queue in queues}
        self._state: State = "working"
        self._known: Value | None = None
        self._paused: dict[str, float] = {}
        self._listens = False
        self._warned = False
        self._first = threading.Event()
        self._wake = threading.Event()
        self._ending = False
        self._thread = thread("presence", self._work)

    def start(self) -> None:
        """Starts the thread, where there is a store, and waits a little for what is paused already."""
        try:
            self._site.connection.require_store()
        except StoreRequired:
            return
        self._thread.start()
        self._first.wait(PATIENCE)

    def show(self, state: State) -> None:
        """Tells at once what the worker does now; from any thread."""
        self._state = state
        self._wake.set()

    def stop(self) -> None:
        """Takes the worker off the list; waits no longer than `PATIENCE` for it."""
        self._ending = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE)

    def _work(self) -> None:
        while not self._ending:
            self._wake.clear()
            if not self._try(self._beat):
                now = time.monotonic()
                self._hold({key: end for key, end in self._paused.items() if end > now})
            self._first.set()
            if not self._ending:
                self._wake.wait(self._rest())
        self._try(self._leave)

    def _rest(self) -> float:
        """How long to wait until the next beat: a pause that ends before is looked at then."""
        first = min(self._paused.values(), default=inf) - time.monotonic()
        return min(BEAT * random.uniform(0.9, 1.1), max(first, LEAST))

    def _try(self, work: Callable[[], None]) -> bool:
        try:
            work()
            self._warned = False
            return True
        except Exception as error:  # whatever the store does, the worker goes on
            if not self._warned:
                self._warned = True
                unexpected = None if isinstance(error, PackhorseError) else error
                _log.warning(
                    "%s; until the store is back, this worker is not listed and hears of no pause "
                    "or restart",
                    error,
                    exc_info=unexpected,
                )
            return False

    def _beat(self) -> None:
        connection, keys, name = self._site.connection, self._keys, self._site.worker
        store = connection.store
        if not self._listens:
            (self._known,) = store.read([keys.restart])
            self._listens = True
            if _meant(self._known, self._born, time.time()):
                self._restart()
        key, pauses = keys.worker(name), self._pauses
        _, _, unmoved, *free = store.apply(
            [
                Group([Put(key, written(self._describe()), KEPT)], partition=key),
                Group([AddMembers(keys.workers, [name.encode()])], partition=keys.workers),
                _asked(self._unmoved()),
                *(_asked(Absent(pause)) for pause in pauses),
            ]
        )
        there = [pause for pause, one in zip(pauses, free, strict=True) if one is None]
        self._hold(_ends(there, store.read(there)) if there else {})
        if unmoved is None:
            self._restart()

    def _hold(self, paused: dict[str, float]) -> None:
        """Lets nothing be taken of what is paused, each until a moment of the monotonic clock."""
        self._paused = paused
        self._hold_back({queue for key in paused for queue in self._pauses[key]})

    def _describe(self) -> LiveWorker:
        hand, now, clock = self._hand, time.time(), time.monotonic()
        running = sorted(hand.started.values(), key=lambda one: one.started)
        return LiveWorker(
            name=self._site.worker,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=self._queues,
            concurrency=self._concurrency,
            state=self._state,
            started=self._born,
            beat=now,
            jobs=hand.jobs,
            failed=hand.failed,
            memory=resident(),
            busy=len(running),
            running=[
                RunningJob(
                    one.delivery.message.id,
                    one.envelope.job,
                    one.delivery.message.queue,
                    now - max(0.0, clock - one.started),  # its own process may not be there yet
                )
                for one in running[:SHOWN]
            ],
        )

    def _unmoved(self) -> Condition:
        key, known = self._keys.restart, self._known
        return Equals(key, known) if isinstance(known, bytes) else Absent(key)

    def _leave(self) -> None:
        self._site.connection.store.apply(self._keys.gone(self._site.worker))


def _asked(condition: Condition) -> Group:
    """A group that does nothing: its answer is None if the condition does not hold."""
    return Group([], [condition], partition=condition.key)


def _ends(keys: Sequence[str], values: Sequence[Value | None]) -> dict[str, float]:
    """When pauses will be over, as far as this process's clocks can tell; `inf`: once they are resumed."""
    seconds = {
        key: left(one) for key, one in zip(keys, values, strict=True) if isinstance(one, bytes)
    }
    now = time.monotonic()
    return {key: inf if one is None else now + one for key, one in seconds.items()}


def _meant(restart: Value | None, born: float, now: float) -> bool:
    """Whether a restart was asked for while this process was starting, with code from before."""
    return isinstance(restart, bytes) and born <= float(restart) <= now
