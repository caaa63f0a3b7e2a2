"""Sending within a transaction that somebody else has begun: the driver, or a settlement's."""

import random
from collections.abc import Sequence

import sqlalchemy as sa

from packhorse.plugin import Message, Sent, Unsupported
from packhorse_sql.moments import span
from packhorse_sql.prepared import Prepared
from packhorse_sql.statements import Statements

_draw = random.SystemRandom().getrandbits


def unique_number() -> int:
    """A number that no claim and no call has used before: 63 random bits."""
    return _draw(63)


def refuse_unsupported(messages: Sequence[Message]) -> None:
    """Raises `Unsupported` for what this driver does not keep; nothing has been done then."""
    for message in messages:
        if message.unique is not None or message.group is not None:
            name = "unique" if message.unique is not None else "group"
            raise Unsupported(
                f"message {message.id} for queue {message.queue!r} has a {name} key, which the SQL "
                f"driver does not keep; send it without {name}"
            )


def send(
    connection: sa.Connection, statements: Statements, messages: Sequence[Message], now: int
) -> list[Sent]:
    """Puts messages on the broker; one answer a message, "stored" or "known"."""
    call = unique_number()
    rows = [(m.id.bytes, m.queue, now + span(m.delay), span(m.once), m.body) for m in messages]
    return _put(connection, statements, statements.add, messages, rows, call, now)


def revive(
    connection: sa.Connection, statements: Statements, messages: Sequence[Message], now: int
) -> list[Sent]:
    """Makes dead messages wait again; "known" for one that is not dead."""
    rows = [(m.id.bytes, m.queue, now + span(m.delay), 0, m.body) for m in messages]
    call = unique_number()
    answers = _put(connection, statements, statements.revive, messages, rows, call, now)
    for packed in statements.message_rows.packed(rows):
        statements.exhume.run(connection, packed)
    return answers


def _put(
    connection: sa.Connection,
    statements: Statements,
    statement: Prepared,
    messages: Sequence[Message],
    rows: list[tuple[bytes, str, int, int, bytes]],
    call: int,
    now: int,
) -> list[Sent]:
    portions = list(statements.message_rows.packed(rows))
    added = sum(
        statement.run(connection, {"call": call, "now": now, **packed}).rowcount
        for packed in portions
    )
    if added == len(messages):
        return [Sent(message.id, "stored") for message in messages]
    stored = {
        id
        for packed in portions
        for (id,) in statements.stored.run(connection, {"call": call, **packed}).fetchall()
    }
    answers = []
    for message in messages:
        first = message.id.bytes in stored
        stored.discard(message.id.bytes)
        answers.append(Sent(message.id, "stored" if first else "known"))
    return answers


def alone(message: Message, now: int) -> dict[str, object]:
    """What `add_one` is to be given for a message."""
    return {
        "call": 0,  # which of its messages a call of one has stored, nobody asks
        "now": now,
        "one_id": message.id.bytes,
        "one_queue": message.queue,
        "one_moment": now + span(message.delay),
        "one_once": span(message.once),
        "one_body": message.body,
    }
