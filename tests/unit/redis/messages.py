"""Messages for these tests."""

from packhorse.ids import new_id
from packhorse.plugin import Consumer, Delivery, Message


def messages(*bodies: bytes, delay: float = 0.0) -> list[Message]:
    """Messages for the queue that these tests use."""
    return [Message(new_id(), "q", body, delay) for body in bodies]


def take(consumer: Consumer, limit: int = 1_000) -> list[Delivery]:
    """Reserves from that queue, without waiting."""
    return list(consumer.reserve(["q"], limit, 0).deliveries)
