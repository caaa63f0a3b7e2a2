"""What a bad driver is: a good one, wrapped, and the names of the tests that must catch it."""

from collections.abc import Mapping, Sequence
from typing import ClassVar
from uuid import UUID

from msgspec.structs import replace

from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Delivery, Reserved
from packhorse.driver.outcome import Outcome, Settled
from packhorse.testing import ForwardingConsumer, ForwardingDriver


class BadDriver(ForwardingDriver):
    """Right in all but one thing.

    caught_by  the names of the tests that name its fault
    also       the names of those that stand on the same promise; no other test may fail
    spoils     subjects that stand on it as a whole, so that any of their tests may fail too
    claims     what it says of itself that is not so
    url        what it is built on
    lease      seconds for which it holds a message, while all believe in 30
    """

    caught_by: ClassVar[set[str]]
    also: ClassVar[set[str]] = set()
    spoils: ClassVar[tuple[type, ...]] = ()
    claims: ClassVar[Mapping[str, object]] = {}
    url: ClassVar[str] = "memory://"
    lease: ClassVar[float] = 30.0

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self.capabilities = replace(driver.capabilities, **self.claims)


class BadConsumer(ForwardingConsumer):
    """Right in all but one thing, with `caught_by`, `also` and `spoils` as for bad drivers.

    `current` has the last delivery of each message, of every consumer of this driver.
    """

    caught_by: ClassVar[set[str]]
    also: ClassVar[set[str]] = set()
    spoils: ClassVar[tuple[type, ...]] = ()
    current: dict[UUID, Delivery]

    def __init__(self, driver: ForwardingDriver, consumer: Consumer) -> None:
        super().__init__(driver, consumer)
        self.current = driver.__dict__.setdefault("current", {})
        self.notes: dict[UUID, int] = driver.__dict__.setdefault("notes", {})

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        reserved = super().reserve(queues, limit, wait)
        self.current.update((each.message.id, each) for each in reserved.deliveries)
        return replace(reserved, deliveries=[self.shown(each) for each in reserved.deliveries])

    def shown(self, delivery: Delivery) -> Delivery:
        """A delivery as this consumer hands it out."""
        return delivery

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        return super().settle([self.settled(each) for each in outcomes])

    def settled(self, outcome: Outcome) -> Outcome:
        """An outcome as this consumer carries it out."""
        return outcome
