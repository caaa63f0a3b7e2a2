"""What the promise tests stand on: the hooks that a backend fills in, and the steps they share."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import ClassVar, TypeVar
from uuid import UUID, uuid4

import pytest

from packhorse.clock import SYSTEM_CLOCK, Clock
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Counts, Delivery, Message, Unique
from packhorse.testing.clock import ManualClock
from packhorse.testing.running import Running
from packhorse.testing.suite import Suite

T = TypeVar("T")

QUEUE = "default"


class Stage(Suite):
    """The hooks. A subclass gives a `driver` fixture: a fresh driver on an empty broker.

    lease     seconds for which the driver was told to hold a reservation. The tests let leases
              end: without a manual clock keep it short, 1 second, or the broker's shortest
    clock     the clock that the driver was opened with
    crowd     how many messages the tests with many threads move
    patience  seconds after which a call in another thread counts as hanging
    """

    lease: ClassVar[float] = 1.0
    clock: ClassVar[Clock] = SYSTEM_CLOCK
    crowd: ClassVar[int] = 2_000
    patience: ClassVar[float] = 5.0

    def pass_time(self, driver: Driver, seconds: float) -> None:
        """Lets `seconds` pass for the driver: moves a manual clock, else sleeps."""
        if isinstance(self.clock, ManualClock):
            self.clock.advance(seconds)
        else:
            time.sleep(seconds)

    @pytest.fixture
    def consumer(self, driver: Driver) -> Iterator[Consumer]:
        consumer = driver.consumer("worker-1")
        yield consumer
        consumer.close()

    @pytest.fixture
    def other(self, driver: Driver) -> Iterator[Consumer]:
        consumer = driver.consumer("worker-2")
        yield consumer
        consumer.close()

    def whole_lease(self, driver: Driver) -> float:
        """For how long this driver really holds a lease."""
        return round_up(self.lease, driver.capabilities.lease_step)

    def end_leases(self, driver: Driver) -> None:
        """Lets every lease end that was made until now."""
        self.pass_time(driver, self.whole_lease(driver) * 1.1)

    def delay(self, driver: Driver, times: int = 1) -> float:
        """A delay that the broker can tell from none, well below a lease where it can."""
        if not can_delay(driver):
            return 0.0
        return times * round_up(self.lease / 4, driver.capabilities.delay_step)

    def pass_delay(self, driver: Driver, times: int = 1) -> None:
        """Lets a delay of `delay(driver, times)` end, and a little more."""
        self.pass_time(driver, self.delay(driver, times) + self.lease / 20)

    def pass_until(self, driver: Driver, running: Running[T]) -> T:
        """Lets time pass in small steps until a call in another thread is back; its answer."""
        deadline = time.monotonic() + 2 * self.patience
        while running.is_alive() and time.monotonic() < deadline:
            self.pass_time(driver, 0.02)
            time.sleep(0.005)
        return running.answer(within=0)


def can_delay(driver: Driver) -> bool:
    """Does the broker delay a message at all?"""
    return driver.capabilities.max_delay != 0


def message(
    body: bytes = b"body",
    queue: str = QUEUE,
    delay: float = 0.0,
    unique: Unique | None = None,
    group: str | None = None,
    once: float = 0.0,
    id: UUID | None = None,
) -> Message:
    """A message with a random id: an order that is right is then no accident of sorted ids."""
    return Message(id or uuid4(), queue, body, delay, unique, group, once)


def numbered(count: int, queue: str = QUEUE) -> list[Message]:
    """Messages whose bodies are 0, 1, 2 …"""
    return [message(str(number).encode(), queue) for number in range(count)]


def put(driver: Driver, *messages: Message) -> None:
    """Sends messages of which each must be stored."""
    assert [sent.state for sent in driver.send(messages)] == ["stored"] * len(messages)


def take(consumer: Consumer, limit: int = 10, queue: str = QUEUE) -> list[Delivery]:
    """Reserves from one queue without waiting."""
    return list(consumer.reserve([queue], limit, 0).deliveries)


def take_one(consumer: Consumer, queue: str = QUEUE) -> Delivery:
    """Reserves the one message that must be there."""
    deliveries = take(consumer, 1, queue)
    assert len(deliveries) == 1, f"there is nothing to reserve on {queue!r}"
    return deliveries[0]


def drain(consumer: Consumer, queue: str = QUEUE, limit: int = 10) -> list[Delivery]:
    """Reserves until nothing is left."""
    drained: list[Delivery] = []
    while deliveries := take(consumer, limit, queue):
        drained += deliveries
    return drained


def bodies(deliveries: Sequence[Delivery]) -> list[bytes]:
    """The bodies of deliveries, in their order."""
    return [delivery.message.body for delivery in deliveries]


def in_order(driver: Driver, found: list[bytes]) -> list[bytes]:
    """What was found, sorted where the driver keeps no order."""
    return found if driver.capabilities.ordered else sorted(found)


def assert_counts(driver: Driver, expected: Counts, queue: str = QUEUE) -> None:
    """Compares counts where the driver's are exact."""
    if driver.capabilities.counts == "exact":
        assert driver.counts(queue) == expected


def refused(driver: Driver, ability: type) -> None:
    """An ability that is not declared must not be there by halves either."""
    methods: frozenset[str] = ability.__dict__["__abstractmethods__"]
    halves = sorted(name for name in methods if hasattr(driver, name))
    assert not halves, f"{type(driver).__name__} has {halves} and is no {ability.__name__}"


def round_up(seconds: float, step: float) -> float:
    """Seconds, rounded up to a broker's step."""
    return math.ceil(seconds / step) * step if step else seconds
