"""How a message lies on the server: its queue and what else it has in front of its body.

Two bytes (128: there is more than a queue, 64: its key is free when it is reserved, the rest is the
length of the queue's name), the name, and, if there is more, that in msgpack after its length in four
bytes; then the body. `lua/parts/message.lua` reads the same.
"""

from uuid import UUID

from msgspec import Struct, msgpack

from packhorse.plugin import Message, PayloadTooLarge, Unique

LONGEST = (1 << 14) - 1
"""The longest name of a queue, in bytes."""

_MORE, _RESERVED = 1 << 15, 1 << 14
_KEPT = 1_000
_heads: dict[str, bytes] = {}


class _More(Struct, frozen=True, array_like=True):
    once: float
    group: str | None
    key: str | None
    until_reserved: int
    window: float
    replace: int
    max_wait: float | None


_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(_More).decode


def head_of(queue: str) -> bytes:
    """What stands before the body of a message that has nothing but a queue and a body.

    Raises `PayloadTooLarge` for a name that does not fit.
    """
    head = _heads.get(queue)
    if head is None:
        name = queue.encode()
        if len(name) > LONGEST:
            raise PayloadTooLarge(
                f"the name of the queue {queue[:40]!r}… has {len(name):,} bytes and Redis gets "
                f"{LONGEST:,} at most; shorten it"
            )
        head = len(name).to_bytes(2) + name
        if len(_heads) >= _KEPT:
            _heads.clear()
        _heads[queue] = head
    return head


def is_plain(message: Message) -> bool:
    """Whether a message has nothing but a queue and a body, as most have."""
    return message.unique is None and message.group is None and not message.once


def pack(message: Message) -> bytes:
    """A message as it lies on the server."""
    head = head_of(message.queue)
    if is_plain(message):
        return head + message.body
    unique = message.unique or Unique()
    reserved = message.unique is not None and unique.until == "reserved"
    more = _encode(
        _More(
            float(message.once),
            message.group,
            None if message.unique is None else unique.key,
            int(reserved),
            float(unique.window),
            int(unique.on_taken == "replace"),
            unique.max_wait,
        )
    )
    flags = _MORE | (_RESERVED if reserved else 0) | int.from_bytes(head[:2])
    return b"".join((flags.to_bytes(2), head[2:], len(more).to_bytes(4), more, message.body))


def unpack(id: UUID, value: bytes) -> Message:
    """The message of a value; what travels with a send alone, its delay, is not in it."""
    flags = int.from_bytes(value[:2])
    start = 2 + (flags & LONGEST)
    queue = value[2:start].decode()
    if not flags & _MORE:
        return Message(id, queue, value[start:])
    body = start + 4 + int.from_bytes(value[start : start + 4])
    more = _decode(value[start + 4 : body])
    unique = None
    if more.key is not None:
        unique = Unique(
            more.key,
            "reserved" if more.until_reserved else "done",
            more.window,
            "replace" if more.replace else "keep",
            more.max_wait,
        )
    return Message(id, queue, value[body:], 0.0, unique, more.group, more.once)
