"""A memory driver's consumer: looks, and sleeps on one condition until there is cause to look."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from packhorse.driver import limits
from packhorse.driver.contract import Consumer
from packhorse.driver.message import Delivery, Renewed, Reserved
from packhorse.driver.outcome import Dead, Done, Outcome, Settled
from packhorse.errors import Unsupported

if TYPE_CHECKING:
    from packhorse.driver.memory import MemoryTransport


class MemoryConsumer(Consumer):
    """One worker's share of a memory driver."""

    def __init__(self, driver: "MemoryTransport", worker: str) -> None:
        self._driver = driver
        self._worker = worker
        self._woken = False

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        """As the contract says; with a clock that is moved by hand, ask with `wait=0`."""
        driver = self._driver
        until = driver.clock.monotonic() + wait
        with driver.lock:
            while True:
                reserved = self._take(queues, limit)
                left = until - driver.clock.monotonic()
                if reserved.deliveries or self._woken or left <= 0:
                    break
                self._block(left, reserved, queues)
                if self._woken:
                    reserved = self._take(queues, 0)
                    break
            self._woken = False
        return driver.answer(reserved)

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        driver = self._driver
        self._check_follow(outcomes)
        with driver.lock:
            now, settle = driver.now(), driver.broker.settle
            answers = [settle(outcome, now, self._worker) for outcome in outcomes]
            driver.changed()
        return driver.answer(answers)

    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        driver = self._driver
        monotonic = driver.clock.monotonic()
        with driver.lock:
            now = driver.now()
            return [
                driver.broker.renew(delivery, now, monotonic, self._worker)
                for delivery in deliveries
            ]

    def wake(self) -> None:
        with self._driver.lock:
            self._woken = True
            self._driver.changed()

    def close(self) -> None:
        """Wakes a reservation that is still blocked."""
        self.wake()

    def _take(self, queues: Sequence[str], limit: int) -> Reserved:
        driver, clock = self._driver, self._driver.clock
        wall, monotonic, now = clock.wall(), clock.monotonic(), driver.now()
        taken: list[Delivery] = []
        moments: list[float] = []
        paused: set[str] = set()
        for queue in queues:
            if queue in driver.pauses:
                end = driver.pauses[queue]
                if end is None or end > now:
                    paused.add(queue)
                    continue
                del driver.pauses[queue]
            line = driver.broker.lines.get(queue)
            if line is None:
                continue
            if len(taken) < limit:
                room = limit - len(taken)
                taken += driver.broker.take(line, room, now, self._worker, wall, monotonic)
            if (moment := line.next_moment()) is not None:
                moments.append(moment)
        next_due = max(0.0, min(moments) - now) if moments else None
        return Reserved(taken, next_due, frozenset(paused))

    def _block(self, left: float, reserved: Reserved, queues: Sequence[str]) -> None:
        """Sleeps until something is sent, falls due, ends, resumes or wakes this one."""
        driver = self._driver
        now = driver.now()
        ends = [driver.pauses[queue] for queue in reserved.paused]
        spans = [end - now for end in ends if end is not None]
        if reserved.next_due is not None:
            spans.append(reserved.next_due)
        driver.blocked += 1
        try:
            driver.condition.wait(min(left, *spans) if spans else left)
        finally:
            driver.blocked -= 1

    def _check_follow(self, outcomes: Sequence[Outcome]) -> None:
        """Raises `Unsupported` for follow-ups that could not be atomic, before anything is done."""
        driver = self._driver
        follow = driver.capabilities.follow
        for outcome in outcomes:
            if (type(outcome) is Done or type(outcome) is Dead) and outcome.follow:
                queue = outcome.delivery.message.queue
                limits.check(outcome.follow, driver.capabilities, driver.connection)
                apart = any(message.queue != queue for message in outcome.follow)
                if follow == "before" or (follow == "atomic_in_slot" and apart):
                    raise Unsupported(
                        f"connection {driver.connection!r} cannot send these follow-ups in the "
                        f"settling of a message of queue {queue!r}; send them before it"
                    )
