"""The frame round each body, a part of the wire format: beanstalkd keeps nothing else with a job.

    3 bytes   "ph", and the version of the frame: 1
    16 bytes  the message's id
    4 bytes   the lease in seconds that the job was pushed with: beanstalkd fixes it then
    4 bytes   seconds for which the id is to stay known

and then the body. Numbers are unsigned and big-endian.
"""

import math
import struct
from uuid import UUID, uuid5

from packhorse.plugin import Message

_HEAD = struct.Struct(">3s16sII")
_MARK = b"ph\x01"
LONGEST = 2**32 - 1
"""Seconds: the longest time that beanstalkd, and a frame, can express."""

SIZE = _HEAD.size
"""Bytes that a frame adds to a body."""

STRANGERS = UUID("5e2f5b0c-8f39-4c0f-9d3c-6d1f4f6a9b7e")
"""The namespace of the ids of jobs that packhorse did not push."""


def framed(message: Message, ttr: int, body: bytes) -> bytes:
    """What is pushed for a message."""
    once = min(math.ceil(message.once), LONGEST)
    return _HEAD.pack(_MARK, message.id.bytes, ttr, once) + body


def unframed(queue: str, data: bytes) -> tuple[Message, int] | None:
    """The message and its lease; None if packhorse did not push this."""
    if len(data) < SIZE or not data.startswith(_MARK):
        return None
    _, id, ttr, once = _HEAD.unpack_from(data)
    return Message(UUID(bytes=id), queue, data[SIZE:], once=float(once)), ttr


def stranger(queue: str, data: bytes, job: int) -> Message:
    """The message of a job that packhorse did not push; its id is the same at each delivery."""
    return Message(uuid5(STRANGERS, f"{job}:{queue}"), queue, data)
