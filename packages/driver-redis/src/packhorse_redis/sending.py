"""Messages on their way to the server: what the scripts that send are given and answer."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from packhorse.plugin import Message, Sent
from packhorse_redis.connection import Arg
from packhorse_redis.moments import span
from packhorse_redis.replies import items, text
from packhorse_redis.scripts import script
from packhorse_redis.server import Server
from packhorse_redis.slot import Slot
from packhorse_redis.value import pack

MOST, BYTES = 1_000, 4 * 1024 * 1024
"""Messages and bytes that one call of a script takes: the server does nothing else meanwhile."""


class Queues:
    """The queues of one call, numbered from 1 as Lua does."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, queue: str) -> int:
        number = self._numbers.get(queue)
        if number is None:
            self.names.append(queue)
            number = self._numbers[queue] = len(self.names)
        return number

    def named(self) -> list[Arg]:
        """Their names, as a script reads a list."""
        return [len(self.names), *self.names]


def flat(messages: Sequence[Message], queues: Queues) -> list[Arg]:
    """What a script is given of messages: queue, id, value, delay, one after the other."""
    given: list[Arg] = []
    for message in messages:
        value, delay = pack(message), message.delay
        given += (queues.number(message.queue), message.id.bytes, value)
        given.append(span(delay) if delay > 0 else 0)
    return given


def send(server: Server, slot: Slot, messages: Sequence[Message]) -> list[Sent]:
    """Sends messages in their order; one answer each."""
    answers: list[Sent] = []
    for portion in _portions(messages):
        answers += _send(server, slot, portion)
    return answers


def _send(server: Server, slot: Slot, messages: Sequence[Message]) -> list[Sent]:
    queues = Queues()
    given = flat(messages, queues)
    args = [*queues.named(), *given]
    ids = [each.id for each in messages]
    if all(each.unique is None and each.group is None for each in messages):
        return told(ids, text(server.run(script("send"), slot, queues.names, args)))
    reply = server.run(script("send_special"), slot, queues.names, args)
    letters, others = items(reply)
    return told(ids, text(letters), [UUID(bytes=text(id)) for id in items(others)])


def told(ids: Sequence[UUID], letters: bytes, others: Sequence[UUID] = ()) -> list[Sent]:
    """What the letters of a script mean for each message."""
    more = iter(others)
    answers = []
    for id, letter in zip(ids, letters, strict=True):
        if letter == 49:  # "1"
            answers.append(Sent(id, "stored"))
        elif letter == 48:  # "0"
            answers.append(Sent(id, "known"))
        elif letter == 116:  # "t"
            answers.append(Sent(id, "taken", next(more)))
        else:
            answers.append(Sent(id, "stored", superseded=next(more)))
    return answers


def _portions(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Messages in portions of which none is too much for one call."""
    if len(messages) == 1:
        yield messages
        return
    portion: list[Message] = []
    size = 0
    for message in messages:
        if portion and (len(portion) >= MOST or size + len(message.body) > BYTES):
            yield portion
            portion, size = [], 0
        portion.append(message)
        size += len(message.body)
    if portion:
        yield portion
