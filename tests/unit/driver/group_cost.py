"""What a few jobs of groups cost a driver: the same steps, however many wait beside them."""

from collections.abc import Callable, Iterator
from uuid import uuid4

from packhorse.driver.contract import Driver
from packhorse.driver.message import Message
from packhorse.driver.outcome import Done, Retry
from tests.unit.driver.opening import QUEUE, take

FEW, MANY = 200, 20_000

SHAPES: dict[str, Callable[[int], str]] = {
    "many groups": lambda number: f"group {number}",
    "one large group": lambda number: "group",
    "pairs": lambda number: f"group {number // 2}",
}
"""To which group the message of a number belongs."""


def filled(driver: Driver, size: int, shape: str) -> Driver:
    """The driver with so many messages in groups of that shape."""
    numbers = range(size)
    driver.send([_message(SHAPES[shape](number)) for number in numbers])
    return driver


def work(driver: Driver) -> Iterator[None]:
    """Sends, takes, puts back and settles a few, with a stop before each call."""
    consumer = driver.consumer("worker")
    for number in range(5):
        yield
        driver.send([_message("group"), _message(f"new {number}")])
        yield
        taken = take(consumer, 4)
        assert taken
        yield
        first, *others = taken
        consumer.settle([Retry(first, 0.0, b"again"), *map(Done, others)])


def _message(group: str) -> Message:
    return Message(uuid4(), QUEUE, b"body", group=group)
