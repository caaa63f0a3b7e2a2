"""Carrying out outcomes within one transaction: a statement for each kind, however many there are."""

import struct
from collections.abc import Sequence

import sqlalchemy as sa

from packhorse.plugin import Dead, Delivery, Done, Message, Outcome, Retry, Return, Settled
from packhorse_sql.groups import promote
from packhorse_sql.keys import free
from packhorse_sql.moments import span
from packhorse_sql.sending import groups_of, is_plain, send, unique_number
from packhorse_sql.statements import Statements

Held = tuple[int, int]
"""What a token says: which row, under which lease."""

_TOKEN = struct.Struct(">qq")
_NOTHING: Held = (-1, -1)


def token(seq: int, lease: int) -> bytes:
    """The token of a reservation."""
    return _TOKEN.pack(seq, lease)


def held(token: bytes) -> Held:
    """What a token says; a forged one names a row that cannot be."""
    if len(token) != _TOKEN.size:
        return _NOTHING
    seq, lease = _TOKEN.unpack(token)
    return seq, lease


def current(
    connection: sa.Connection, statements: Statements, deliveries: Sequence[Delivery]
) -> list[Held | None]:
    """What each token says, None where its lease is no longer the row's, or for a repeat."""
    tokens = [held(delivery.token) for delivery in deliveries]
    stale = {
        (seq, lease)
        for packed in statements.held_rows.packed(tokens)
        for seq, lease in statements.stale.run(connection, packed).fetchall()
    }
    alive: list[Held | None] = []
    for each in tokens:
        alive.append(None if each in stale else each)
        stale.add(each)
    return alive


def settle(
    connection: sa.Connection, statements: Statements, outcomes: Sequence[Outcome], now: int
) -> list[Settled]:
    """Carries out the outcomes whose token is current, with their follow-ups."""
    tokens = current(connection, statements, [outcome.delivery for outcome in outcomes])
    sorted_out = _Settlement()
    for each, outcome in zip(tokens, outcomes, strict=True):
        if each is not None:
            sorted_out.add(each, outcome, now)
    sorted_out.carry_out(connection, statements, now)
    return ["gone" if each is None else "applied" for each in tokens]


class _Settlement:
    """Outcomes sorted by what they do to the tables."""

    def __init__(self) -> None:
        self.records: list[tuple[int, bytes]] = []
        self.known: list[tuple[bytes, int]] = []
        self.removed: list[Held] = []
        self.returned: list[Held] = []
        self.retried: list[tuple[int, int, bytes]] = []
        self.follow: list[Message] = []
        self.special: list[Message] = []

    def add(self, token: Held, outcome: Outcome, now: int) -> None:
        if isinstance(outcome, Retry):
            self.retried.append((token[0], now + span(outcome.delay), outcome.body))
        elif isinstance(outcome, Return):
            self.returned.append(token)
        else:
            self._end(token, outcome, now)

    def _end(self, token: Held, outcome: Done | Dead, now: int) -> None:
        message = outcome.delivery.message
        if isinstance(outcome, Dead):
            self.records.append((token[0], outcome.record))
        elif message.once:
            self.known.append((message.id.bytes, now + span(message.once)))
        self.removed.append(token)
        if not is_plain(message):
            self.special.append(message)
        if outcome.follow:
            self.follow.extend(outcome.follow)

    def carry_out(self, connection: sa.Connection, sql: Statements, now: int) -> None:
        for statement, rows, values in (
            (sql.bury, sql.record_rows, self.records),
            (sql.remember, sql.known_rows, self.known),
            (sql.remove, sql.held_rows, self.removed),
            (sql.give_back, sql.held_rows, self.returned),
            (sql.retry, sql.retry_rows, self.retried),
        ):
            for packed in rows.packed(values):
                statement.run(connection, {"now": now, **packed})
        if self.special:
            keyed = [message.id.bytes for message in self.special if message.unique is not None]
            free(connection, sql, keyed, now)
            promote(connection, sql, groups_of(self.special), unique_number())
        if self.follow:
            send(connection, sql, self.follow, now)
