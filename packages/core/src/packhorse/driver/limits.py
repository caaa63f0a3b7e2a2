"""What a driver's capabilities refuse or round, as pure functions for any driver."""

import math
from collections.abc import Iterable

from packhorse.driver.contract import Capabilities
from packhorse.driver.message import Message
from packhorse.errors import Unsupported


def check(messages: Iterable[Message], capabilities: Capabilities, connection: str) -> None:
    """Raises `Unsupported` if a message asks for a unique key or a group that would not be kept."""
    for message in messages:
        if message.unique is not None and not capabilities.unique:
            raise Unsupported(_unkept("unique keys", "unique", message, connection))
        if message.group is not None and not capabilities.groups:
            raise Unsupported(_unkept("groups", "group", message, connection))


def refusal(message: Message, capabilities: Capabilities) -> str | None:
    """Why the broker would not take this message, None if it would."""
    size, longest = len(message.body), capabilities.max_body
    if longest is not None and size > longest:
        return (
            f"a message for queue {message.queue!r} has {size:,} bytes and the broker takes "
            f"{longest:,}; send a reference to the data instead of the data"
        )
    furthest = capabilities.max_delay
    if furthest is not None and message.delay > furthest:
        return (
            f"a message for queue {message.queue!r} is delayed by {message.delay:g} s and the "
            f"broker delays by {furthest:g} s at most; shorten the delay"
        )
    return None


def round_up(seconds: float, step: float) -> float:
    """A time in whole steps, never shorter; 0 is no step."""
    return math.ceil(seconds / step) * step if step else seconds


def _unkept(what: str, option: str, message: Message, connection: str) -> str:
    return (
        f"the driver of connection {connection!r} keeps no {what}, and a message for queue "
        f"{message.queue!r} has one; nothing was sent: drop the option {option!r} or use a "
        "connection whose driver has it"
    )
