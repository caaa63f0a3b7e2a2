"""What is to become of a delivery: four outcomes, and what settling one can answer."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from packhorse.driver.message import Delivery, Message


class Done(Struct, frozen=True):
    """The message is gone for good; `follow` is sent with it (see `Capabilities.follow`)."""

    delivery: Delivery
    follow: Sequence[Message] = ()


class Retry(Struct, frozen=True):
    """The message waits again, `delay` seconds from now, with another body and its deliveries at 0."""

    delivery: Delivery
    delay: float
    body: bytes


class Return(Struct, frozen=True):
    """The message was never started: it waits again at its old place, and this delivery does not count."""

    delivery: Delivery


class Dead(Struct, frozen=True):
    """The message failed for good: it is kept with its record where the driver keeps dead messages."""

    delivery: Delivery
    record: bytes
    follow: Sequence[Message] = ()


Outcome = Done | Retry | Return | Dead

Settled = Literal["applied", "gone", "failed"]
"""One answer an outcome. "applied": it is so. "gone": no such reservation, because the lease went to
somebody else or an earlier call whose reply was lost had applied it. "failed": the broker did not
carry it out; it may be tried again."""
