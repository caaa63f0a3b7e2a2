"""Keeps what has started: renews leases, stops what runs too long, returns what cannot start soon.

It runs no user code, so nothing that a job does can keep it from renewing, but for holding the
interpreter's lock.
"""

import logging
import random
import threading
import time
from collections.abc import Callable

from packhorse.driver.contract import Consumer
from packhorse.driver.message import CANCELLED, CEILING, LOST, Refusal
from packhorse.errors import ConnectionLost
from packhorse.worker.closing import Settlement, give_back
from packhorse.worker.execution import Execution
from packhorse.worker.hand import Hand
from packhorse.worker.plan import renewal_due, stalled, too_old, trouble_pause
from packhorse.worker.threads import thread

_log = logging.getLogger("packhorse.worker")

TICK = 0.1
"""Seconds between two looks: how late a time-out may strike."""


class Keeper:
    """A thread that looks at the hand ten times a second while there is something in it."""

    def __init__(
        self,
        consumer: Consumer,
        hand: Hand,
        lease: float,
        by_clock: bool,
        settle: Callable[[Settlement], None],
        troubled: Callable[[Exception, float], None],
    ) -> None:
        self._consumer = consumer
        self._hand = hand
        self._lease = lease
        self._by_clock = by_clock
        self._settle = settle
        self._troubled = troubled
        self._failures = 0
        self._not_before = 0.0
        self._hurry = False
        self._stopping = threading.Event()
        self._thread = thread("keep", self._work)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._hand.taken.set()
        self._thread.join()

    def hurry(self) -> None:
        """Renews all that runs at the next look, because something may have been cancelled."""
        self._hurry = True

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._hand.taken.wait()
            if self._stopping.wait(TICK):
                return
            self.turn()

    def turn(self) -> None:
        """One look at all that is in hand."""
        try:
            self._look(time.monotonic())
        except Exception:  # a driver's bug must not end all renewing
            _log.exception("worker: looking after the running jobs failed")
        self._hand.rest()

    def _look(self, now: float) -> None:
        self.return_unstarted(now)
        started = list(self._hand.started.values())
        for execution in started:
            if _overdue(execution, now):
                _time_out(execution)
            if self._by_clock and now >= execution.deadline and not execution.lost:
                # Somebody else may hold it by now, and this broker would renew their lease.
                _refused(execution, LOST, now)
        self._renew([e for e in started if not e.lost], now)

    def return_unstarted(self, now: float | None = None) -> None:
        """Gives back what has waited too long for a runner; without `now`, all that waits."""
        for execution in list(self._hand.unstarted.values()):
            reserved_at = execution.delivery.deadline - self._lease
            if now is not None and not (
                too_old(reserved_at, now, self._lease) or stalled(execution.arrived, now)
            ):
                return  # the ones behind it were reserved later
            if self._hand.claim(execution):
                self._hand.give_back()
                self._settle(give_back(execution))

    def _renew(self, started: list[Execution], now: float) -> None:
        at_once = self._hurry
        due = [
            e
            for e in started
            if not e.at_ceiling and (at_once or renewal_due(e.deadline, now, self._lease))
        ]
        if not due or now < self._not_before:
            return
        self._hurry = False
        try:
            answers = self._consumer.renew([e.delivery for e in due])
        except ConnectionLost as error:
            self._failures += 1
            pause = trouble_pause(self._failures, random.random())
            self._not_before = now + pause
            self._troubled(error, pause)
            return
        self._failures = 0
        for execution, answer in zip(due, answers, strict=True):
            if isinstance(answer, Refusal):
                _refused(execution, answer, now + self._lease)
            else:
                execution.deadline = answer


def _overdue(execution: Execution, now: float) -> bool:
    policy = execution.policy
    return (
        not execution.timed_out
        and policy.soft_timeout
        and policy.timeout > 0
        and now - execution.started >= policy.timeout
    )


def _time_out(execution: Execution) -> None:
    execution.timed_out = True
    if execution.stop is not None:
        execution.stop(execution)


def _refused(execution: Execution, answer: Refusal, deadline: float) -> None:
    """The handler is told; a coroutine is stopped as well."""
    if answer is CEILING:
        execution.at_ceiling = True
        _time_out(execution)
        return
    if answer is CANCELLED:
        execution.deadline = deadline  # the lease was renewed all the same
        if execution.cancelled:
            return
        execution.cancelled = True
    else:
        execution.lost = True
    execution.context.cancelled = True
    if execution.definition.is_async and execution.stop is not None:
        execution.stop(execution)
