"""Putting messages into tubes, many in one flight."""

import math
from collections.abc import Sequence

from packhorse.plugin import Capabilities, Message, Sent, limits
from packhorse_beanstalkd.frame import LONGEST, framed
from packhorse_beanstalkd.tubes import tube_of
from packhorse_beanstalkd.wire import Address, Reply, Wire

PRIORITY = 1024
"""That of every job: the order of queues is the only priority, so a tube keeps the order of sending."""

_BUSY = {
    b"DRAINING": "it is draining and takes no new jobs until it is started again",
    b"OUT_OF_MEMORY": "it is out of memory, or of room for its binlog, and takes no new jobs",
    b"BURIED": "it is out of memory and takes no new jobs",
    b"INTERNAL_ERROR": "it reports an internal error",
}


def put(message: Message, delay: float, ttr: int, body: bytes) -> bytes:
    """The command that pushes a message into the tube in use."""
    data = framed(message, ttr, body)
    seconds = min(math.ceil(delay), LONGEST)
    return b"put %d %d %d %d\r\n%b\r\n" % (PRIORITY, seconds, ttr, len(data), data)


def whole_seconds(lease: float) -> int:
    """A lease as beanstalkd keeps it."""
    return min(max(1, math.ceil(lease)), LONGEST)


def send(
    wire: Wire, address: Address, messages: Sequence[Message], ttr: int, capabilities: Capabilities
) -> list[Sent]:
    """Puts messages, in this order; raises `ConnectionLost` where the server takes none for now."""
    refusals = [limits.refusal(message, capabilities) for message in messages]
    commands: list[bytes] = []
    places: list[int] = []
    for message, refusal in zip(messages, refusals, strict=True):
        if refusal is None:
            commands += wire.use(tube_of(message.queue))
            places.append(len(commands))
            commands.append(put(message, message.delay, ttr, message.body))
    replies = wire.flight(commands)
    answers = iter([replies[place] for place in places])
    buried = [reply.values[0] for reply in replies if reply.word == b"BURIED"]
    if buried:  # there, but out of line for good: as if it had not been taken
        wire.flight([b"delete %b\r\n" % job for job in buried])
    return [
        Sent(message.id, "refused", error=refusal)
        if refusal is not None
        else _sent(message, next(answers), address)
        for message, refusal in zip(messages, refusals, strict=True)
    ]


def refused(reply: Reply, address: Address) -> str | None:
    """Why a put was refused for good, None if it was taken; raises `ConnectionLost` if it may yet be."""
    if reply.word == b"INSERTED":
        return None
    if reply.word == b"JOB_TOO_BIG":
        return (
            "beanstalkd refuses it as too big: let max_job_size of the connection be what the server "
            "was started with (-z), or send a reference to the data instead of the data"
        )
    raise address.lost(_BUSY.get(reply.word, f"it answered {reply.word.decode(errors='replace')}"))


def _sent(message: Message, reply: Reply, address: Address) -> Sent:
    error = refused(reply, address)
    return Sent(message.id, "stored" if error is None else "refused", error=error)
