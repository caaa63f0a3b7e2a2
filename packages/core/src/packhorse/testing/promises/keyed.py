"""Steps of the tests of unique keys."""

from typing import Literal

from packhorse.driver.contract import Driver
from packhorse.driver.message import Message, Sent, Unique
from packhorse.testing.promises.stage import QUEUE, message


def keyed(
    body: bytes = b"body",
    key: str = "key",
    queue: str = QUEUE,
    *,
    delay: float = 0.0,
    until: Literal["done", "reserved"] = "done",
    window: float = 0.0,
    on_taken: Literal["keep", "replace"] = "keep",
    max_wait: float | None = None,
    group: str | None = None,
    once: float = 0.0,
) -> Message:
    """A message with a unique key."""
    unique = Unique(key, until, window, on_taken, max_wait)
    return message(body, queue, delay, unique, group, once)


def send_one(driver: Driver, sent: Message) -> Sent:
    """What became of one message."""
    (answer,) = driver.send([sent])
    return answer


def assert_held(driver: Driver, holder: Message, rival: Message | None = None) -> None:
    """A rival is told who holds the key."""
    answer = send_one(driver, keyed(b"rival") if rival is None else rival)
    assert (answer.state, answer.holder, answer.superseded) == ("taken", holder.id, None)


def assert_free(driver: Driver) -> None:
    """The next sender gets the key, and holds it."""
    holder = keyed(b"next")
    answer = send_one(driver, holder)
    assert (answer.state, answer.holder, answer.superseded) == ("stored", None, None)
    assert_held(driver, holder)


def replacing(
    body: bytes = b"body",
    delay: float = 0.0,
    max_wait: float | None = None,
    group: str | None = None,
) -> Message:
    """A message that takes the place of who holds its key."""
    return keyed(body, delay=delay, max_wait=max_wait, group=group, on_taken="replace")
