"""Carries word between the store and jobs that run for long, once a second: progress, cancellations.

It has a thread of its own, because what seals and what stores may block, and no lease may wait for it.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from packhorse.cancelling import CANCELS
from packhorse.driver.abilities import Cancels
from packhorse.errors import ConnectionLost, StoreRequired
from packhorse.store.contract import Group, Value
from packhorse.worker.account import progress
from packhorse.worker.execution import Execution
from packhorse.worker.hand import Hand
from packhorse.worker.plan import trouble_pause
from packhorse.worker.threads import thread

if TYPE_CHECKING:
    from packhorse.connection import Connection

EVERY = 1.0
"""Seconds between two looks, and for how long a job has to run before it is one that runs for long."""

_log = logging.getLogger("packhorse.worker")


class Relay:
    """Looks at what runs; the store is asked once for all of it, and not at all for short jobs.

    `cancelled` is called when something that runs may have been cancelled.
    """

    def __init__(
        self,
        connection: "Connection",
        hand: Hand,
        cancelled: Callable[[], None],
        troubled: Callable[[Exception, float], None],
    ) -> None:
        driver: object = connection.driver
        self._connection = connection
        self._hand = hand
        self._cancelled = cancelled
        self._troubled = troubled
        self._listens = isinstance(driver, Cancels)
        self._cancels: Value | None = None
        self._written: dict[bytes, int] = {}
        self._failures = 0
        self._stopping = threading.Event()
        self._thread = thread("relay", self._work)

    def start(self) -> None:
        """Starts the thread, where there is a store."""
        try:
            self._connection.require_store()
        except StoreRequired:
            return
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._hand.taken.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        pause = EVERY
        while not self._stopping.is_set():
            self._hand.taken.wait()
            if self._stopping.wait(pause):
                return
            pause = self.turn()

    def turn(self) -> float:
        """Carries once; gives the seconds to pause before the next turn."""
        pause = EVERY
        try:
            self._look(time.monotonic())
            self._failures = 0
        except ConnectionLost as error:
            self._failures += 1
            pause += trouble_pause(self._failures, random.random())
            self._troubled(error, pause)
        except Exception:
            _log.exception("worker: the progress of running jobs could not be written")
        return pause

    def _look(self, now: float) -> None:
        long = [e for e in list(self._hand.started.values()) if now - e.started >= EVERY]
        if not long:
            return
        self._write(long)
        if self._listens:
            (cancels,) = self._connection.store.read([CANCELS])
            if cancels != self._cancels:
                self._cancels = cancels
                self._cancelled()

    def _write(self, executions: list[Execution]) -> None:
        groups: list[Group] = []
        written: dict[bytes, int] = {}
        for execution in executions:
            reported = execution.context.reported
            if reported is None:
                continue
            token = execution.delivery.token
            written[token] = reported[0]
            if self._written.get(token) != reported[0]:
                groups += progress(execution, *reported)
        if groups:
            self._connection.store.apply(groups)
        self._written = written
