"""What is sent under an id that is to stay known, on a broker that knows none: each copy has a mark.

The first copy that a worker starts puts its mark into the connection's store, for as long as the id
is to stay known; copies with another mark are settled without running. When it is done the word "done"
takes the mark's place, and no copy runs any more.
"""

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from packhorse.driver.message import Message
from packhorse.errors import StoreRequired
from packhorse.store.contract import Absent, Equals, Expire, Group, Put
from packhorse.wire.envelope import Body
from packhorse.wire.seal import open_body, open_envelope, seal

if TYPE_CHECKING:
    from packhorse.connection import Connection


def marked(connection: "Connection", messages: Sequence[Message]) -> list[Message]:
    """The messages as this sending of them goes out; without a store, or need, they are as they were."""
    if connection.driver.capabilities.known_ids or not any(one.once for one in messages):
        return list(messages)
    try:
        connection.store  # noqa: B018  (where the mark would be looked up)
    except StoreRequired:
        return list(messages)
    return [_marked(connection, one) if one.once else one for one in messages]


def taken_up(id: UUID, mark: str, seconds: float) -> list[Group]:
    """Takes a message up under its mark; the second group is refused if another copy was faster."""
    key, value = f"taken:{id}", mark.encode()
    return [
        Group([Put(key, value, seconds)], [Absent(key)], partition=str(id)),
        Group([Expire(key, seconds)], [Equals(key, value)], partition=str(id)),
    ]


def done_with(id: UUID, seconds: float) -> Group:
    """What is written last of all when one is done: the broker may have doubled this very copy."""
    return Group([Put(f"taken:{id}", b"done", seconds)], partition=str(id))


def _marked(connection: "Connection", message: Message) -> Message:
    envelope = open_envelope(message.body)
    body = open_body(envelope, connection.known_codecs(), Body)
    data = seal(
        msgspec.structs.replace(body, mark=secrets.token_hex(8)),
        connection.codecs(envelope.enc),
        id=envelope.id,
        job=envelope.job,
        at=envelope.at,
    )
    return msgspec.structs.replace(message, body=data)
