"""A consumer of a folder: reserves, settles and renews by renaming files."""

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from msgspec.structs import replace

from packhorse.plugin import (
    LOST,
    Consumer,
    Dead,
    Delivery,
    Done,
    Message,
    Outcome,
    Renewed,
    Reserved,
    Retry,
    Return,
    Settled,
    Unsupported,
)
from packhorse_spool.entry import Entry

if TYPE_CHECKING:
    from packhorse_spool.driver import SpoolDriver

LOOK = 0.02
"""Seconds between two looks: nobody tells a folder's readers that there is something new."""


class SpoolConsumer(Consumer):
    """One worker's share. `reserve`, `settle` and `renew` may run in three threads at once."""

    def __init__(self, driver: "SpoolDriver") -> None:
        self._driver = driver
        self._woken = threading.Event()

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        until = time.monotonic() + wait
        while True:
            deliveries = self._take(queues, limit)
            left = until - time.monotonic()
            if deliveries or left <= 0:
                return Reserved(deliveries)
            if self._woken.wait(min(LOOK, left)):
                self._woken.clear()
                return Reserved()

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        if any(isinstance(each, Done | Dead) and each.follow for each in outcomes):
            raise Unsupported("spool:// sends no follow-ups with a settlement; send them before it")
        with self._driver.locked() as now:
            held = self._held([each.delivery for each in outcomes])
            return [
                self._settle(each, held.pop(_key(each.delivery), None), now) for each in outcomes
            ]

    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        deadline = self._driver.clock.monotonic() + self._driver.lease
        answers: list[Renewed] = []
        with self._driver.locked() as now:
            held = self._held(deliveries)
            for delivery in deliveries:
                entry = held.get(_key(delivery))
                if entry is not None:
                    queue = delivery.message.queue
                    self._driver.rename(queue, entry, replace(entry, end=self._end(now)))
                answers.append(LOST if entry is None else deadline)
        return answers

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        self._woken.set()

    def _take(self, queues: Sequence[str], limit: int) -> list[Delivery]:
        # Before the request: what the broker counts from later can only end later.
        deadline = self._driver.clock.monotonic() + self._driver.lease
        taken: list[Delivery] = []
        with self._driver.locked() as now:
            for queue in queues:
                entries = self._driver.entries(queue)
                ended = [each for each in entries if each.token and each.end <= now]
                due = [each for each in entries if not each.token and each.due <= now]
                for entry in (ended + due)[: limit - len(taken)]:
                    taken.append(self._reserve(queue, entry, now, deadline))
        return taken

    def _reserve(self, queue: str, entry: Entry, now: int, deadline: float) -> Delivery:
        held = replace(
            entry, deliveries=entry.deliveries + 1, end=self._end(now), token=uuid4().hex
        )
        self._driver.rename(queue, entry, held)
        message = Message(entry.id, queue, self._driver.read(queue, held))
        return Delivery(message, held.token.encode(), held.deliveries, now / 1e6, deadline)

    def _settle(self, outcome: Outcome, entry: Entry | None, now: int) -> Settled:
        """Carries out one outcome; without an entry its token is stale and nothing happens."""
        if entry is None:
            return "gone"
        driver, queue = self._driver, outcome.delivery.message.queue
        if isinstance(outcome, Done | Dead):
            driver.remove(queue, entry)
        elif isinstance(outcome, Return):
            free = replace(entry, deliveries=entry.deliveries - 1, end=0, token="")
            driver.rename(queue, entry, free)
        elif isinstance(outcome, Retry):
            due = now + round(outcome.delay * 1e6)
            # In this order a crash between the two leaves a copy, and not nothing.
            driver.write(queue, Entry(due, driver.next_number(), entry.id), outcome.body)
            driver.remove(queue, entry)
        return "applied"

    def _held(self, deliveries: Sequence[Delivery]) -> dict[tuple[str, str, bytes], Entry]:
        """The reservations that are current, on the queues of these deliveries."""
        queues = {each.message.queue for each in deliveries}
        return {
            (queue, entry.id.hex, entry.token.encode()): entry
            for queue in queues
            for entry in self._driver.entries(queue)
            if entry.token
        }

    def _end(self, now: int) -> int:
        return now + round(self._driver.lease * 1e6)


def _key(delivery: Delivery) -> tuple[str, str, bytes]:
    return delivery.message.queue, delivery.message.id.hex, delivery.token
