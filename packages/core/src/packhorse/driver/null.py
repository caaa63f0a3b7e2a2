"""`null://`: takes every message and drops it, for switching a queue off; hands out nothing."""

import threading
from collections.abc import Sequence
from typing import Self

from packhorse.driver.contract import Capabilities, Consumer, Driver, DriverSetup
from packhorse.driver.message import LOST, Counts, Delivery, Message, Renewed, Reserved, Sent
from packhorse.driver.outcome import Outcome, Settled
from packhorse.driver.url import Url


class NullDriver(Driver):
    """Drops what is sent; no two live messages share a key or a group, for none is live."""

    capabilities = Capabilities(known_ids=False, unique=True, groups=True)

    @classmethod
    def open(cls, url: Url, setup: DriverSetup) -> Self:
        url.expect([])
        return cls()

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return [Sent(message.id, "stored") for message in messages]

    def consumer(self, worker: str) -> Consumer:
        return EmptyConsumer()

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        return Counts()

    def close(self) -> None:
        """There is nothing to give back."""


class EmptyConsumer(Consumer):
    """Waits as it is told and never brings anything."""

    def __init__(self) -> None:
        self._woken = threading.Event()

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        self._woken.wait(wait)
        self._woken.clear()
        return Reserved()

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        return ["gone" for _ in outcomes]

    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        return [LOST for _ in deliveries]

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        """Ends a wait that is still under way."""
        self._woken.set()
