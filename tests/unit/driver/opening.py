"""Opens the drivers of the core for a test, and makes messages."""

from uuid import UUID, uuid4

from packhorse.clock import SYSTEM_CLOCK, Clock
from packhorse.driver.contract import Consumer, DriverSetup
from packhorse.driver.memory import MemoryDriver, MemoryTransport
from packhorse.driver.message import Delivery, Message
from packhorse.driver.url import Url

QUEUE = "default"


def transport(
    options: str = "", clock: Clock = SYSTEM_CLOCK, lease: float = 30.0
) -> MemoryTransport:
    """A memory driver with these options, whatever its abilities."""
    setup = DriverSetup(connection="here", clock=clock, lease=lease)
    return MemoryDriver.open(Url.parse(f"memory://{options}"), setup)


def memory(options: str = "", clock: Clock = SYSTEM_CLOCK, lease: float = 30.0) -> MemoryDriver:
    """A memory driver that has all abilities."""
    driver = transport(options, clock, lease)
    assert isinstance(driver, MemoryDriver)
    return driver


def message(
    body: bytes = b"body",
    queue: str = QUEUE,
    delay: float = 0.0,
    once: float = 0.0,
    id: UUID | None = None,
) -> Message:
    """A message with a random id."""
    return Message(id or uuid4(), queue, body, delay, once=once)


def take(consumer: Consumer, limit: int = 10) -> list[Delivery]:
    """Reserves without waiting."""
    return list(consumer.reserve([QUEUE], limit, 0).deliveries)


def take_one(consumer: Consumer) -> Delivery:
    """Reserves the one message that must be there."""
    (delivery,) = take(consumer, 1)
    return delivery
