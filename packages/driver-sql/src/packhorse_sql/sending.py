"""Sending within a transaction that somebody else has begun: the driver, or a settlement's."""

import random
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from packhorse.plugin import Message, Sent
from packhorse_sql.dialect import Rows
from packhorse_sql.groups import promote
from packhorse_sql.keys import Contest, Place, packed_unique
from packhorse_sql.moments import span
from packhorse_sql.prepared import Prepared
from packhorse_sql.statements import Statements

Row = tuple[bytes, str, int, int, bytes, str | None, str | None]

_draw = random.SystemRandom().getrandbits


def unique_number() -> int:
    """A number that no claim and no call has used before: 63 random bits."""
    return _draw(63)


def is_plain(message: Message) -> bool:
    """Whether it has neither a unique key nor a group, as most have."""
    return message.unique is None and message.group is None


def send(
    connection: sa.Connection, statements: Statements, messages: Sequence[Message], now: int
) -> list[Sent]:
    """Puts messages on the broker; one answer a message, "stored", "known" or "taken"."""
    call = unique_number()
    if all(map(is_plain, messages)):
        rows = [(m.id.bytes, m.queue, now + span(m.delay), span(m.once), m.body) for m in messages]
        added = statements.add, statements.message_rows, statements.stored
        return _put(connection, *added, messages, rows, call, now)
    if any(message.unique is not None for message in messages):
        return _send_keyed(connection, statements, messages, call, now)
    all_rows = [_row(message, now + span(message.delay)) for message in messages]
    added = statements.add_all, statements.all_rows, statements.all_stored
    answers = _put(connection, *added, messages, all_rows, call, now)
    promote(connection, statements, groups_of(messages), call)
    return answers


def _send_keyed(
    connection: sa.Connection,
    statements: Statements,
    messages: Sequence[Message],
    call: int,
    now: int,
) -> list[Sent]:
    keys = statements.keys
    known = _among(connection, keys.known, keys.id_rows, messages, now)
    contest = Contest(connection, statements, places_of(messages), now)
    answers: list[Sent] = []
    rows: list[Row] = []
    for message in messages:
        if message.id.bytes in known:
            answers.append(Sent(message.id, "known"))
            continue
        answer, due = contest.send(message)
        answers.append(answer)
        if answer.state == "stored":
            known.add(message.id.bytes)
            rows.append(_row(message, due))
    for packed in statements.all_rows.packed(rows):
        statements.add_all.run(connection, {"call": call, "now": now, **packed})
    promote(connection, statements, groups_of(messages), call)
    contest.write()
    return answers


def revive(
    connection: sa.Connection, statements: Statements, messages: Sequence[Message], now: int
) -> list[Sent]:
    """Makes dead messages wait again; "known" for one that is not dead, "taken" if its key is."""
    keys, call = statements.keys, unique_number()
    dead = _among(connection, keys.dead, keys.id_rows, messages, now)
    contest = Contest(connection, statements, places_of(messages), now)
    answers: list[Sent] = []
    rows: list[Row] = []
    for message in messages:
        known = message.id.bytes not in dead
        answers.append(Sent(message.id, "known") if known else contest.revive(message))
        if answers[-1].state == "stored":
            dead.discard(message.id.bytes)
            rows.append(_row(message, now + span(message.delay)))
    for packed in statements.all_rows.packed(rows):
        statements.revive.run(connection, {"call": call, **packed})
        statements.exhume.run(connection, packed)
    promote(connection, statements, groups_of(messages), call)
    contest.write()
    return answers


def groups_of(messages: Iterable[Message]) -> list[tuple[str, str]]:
    """Queue and name of each group that these messages belong to."""
    return [(each.queue, each.group) for each in messages if each.group is not None]


def places_of(messages: Iterable[Message]) -> list[Place]:
    """Queue and key of each unique key that these messages have."""
    return [(each.queue, each.unique.key) for each in messages if each.unique is not None]


def _among(
    connection: sa.Connection,
    statement: Prepared,
    id_rows: Rows,
    messages: Sequence[Message],
    now: int,
) -> set[bytes]:
    """The ids of messages that a statement finds."""
    return {
        id
        for packed in id_rows.packed([(message.id.bytes,) for message in messages])
        for (id,) in statement.run(connection, {"now": now, **packed}).fetchall()
    }


def _put(
    connection: sa.Connection,
    statement: Prepared,
    given: Rows,
    stored_among: Prepared,
    messages: Sequence[Message],
    rows: Sequence[Sequence[object]],
    call: int,
    now: int,
) -> list[Sent]:
    portions = list(given.packed(rows))
    added = sum(
        statement.run(connection, {"call": call, "now": now, **packed}).rowcount
        for packed in portions
    )
    if added == len(messages):
        return [Sent(message.id, "stored") for message in messages]
    stored = {
        id
        for packed in portions
        for (id,) in stored_among.run(connection, {"call": call, **packed}).fetchall()
    }
    answers = []
    for message in messages:
        first = message.id.bytes in stored
        stored.discard(message.id.bytes)
        answers.append(Sent(message.id, "stored" if first else "known"))
    return answers


def _row(message: Message, due: int) -> Row:
    """What a row of `all_rows` holds."""
    once, unique = span(message.once), packed_unique(message.unique)
    return message.id.bytes, message.queue, due, once, message.body, message.group, unique


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
