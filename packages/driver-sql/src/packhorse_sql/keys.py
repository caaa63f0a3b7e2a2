"""Unique keys: who gets them is decided in the transaction that sends, one message after the other."""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy as sa
from msgspec import Struct, json

from packhorse.plugin import Message, Sent, Unique
from packhorse_sql.dialect import Dialect
from packhorse_sql.moments import span
from packhorse_sql.prepared import Prepared
from packhorse_sql.schema import LEASED, PARKED, SUPERSEDED, WAITING, Tables

if TYPE_CHECKING:
    from packhorse_sql.statements import Statements

Place = tuple[str, str]
"""A queue and a key."""

_ID, _INT, _TEXT = sa.LargeBinary(16), sa.BigInteger(), sa.String()

_encode = json.Encoder().encode
_decode = json.Decoder(Unique).decode


def packed_unique(unique: Unique | None) -> str | None:
    """What a row keeps of a message's `Unique`."""
    return None if unique is None else _encode(unique).decode()


def unpacked_unique(text: str | None) -> Unique | None:
    """A message's `Unique`, from its row."""
    return None if text is None else _decode(text)


class KeyStatements:
    """What is asked of keys and of those who hold them, for many at once.

    load     who holds keys, and how the holder stands
    known    which ids are not new; `dead`: which are those of dead messages
    put      gives keys to messages
    lose     takes from messages what they hold; `expire`, only if its window is over
    leave    leaves what messages hold to its window
    hasten   marks messages and makes them due now; what was parked leaves its group
    """

    def __init__(self, tables: Tables, dialect: type[Dialect]) -> None:
        self._keys = tables.keys
        self._messages = tables.messages
        self._now = sa.bindparam("now", type_=_INT)
        self.id_rows = dialect.rows(id=_ID)
        self.places = dialect.rows(queue=_TEXT, key=_TEXT)
        self.rows = dialect.rows(queue=_TEXT, key=_TEXT, holder=_ID, first=_INT, window=_INT)
        self._ids(tables)
        self._places()
        given = sa.select(*self.rows.c, sa.null()).select_from(self.rows.source)
        self.put = Prepared(dialect.replacing(self._keys, [*self.rows.c.keys(), "until"], given))
        self._hasten()

    def _ids(self, tables: Tables) -> None:
        keys, id = self._keys, self.id_rows.c.id
        alive = sa.exists().where(tables.messages.c.id == id)
        dead = sa.exists().where(tables.dead.c.id == id)
        kept = sa.exists().where(tables.known.c.id == id, tables.known.c.until > self._now)
        self.known = Prepared(sa.select(id).where(sa.or_(alive, dead, kept)))
        self.dead = Prepared(sa.select(id).where(dead))
        held = keys.c.holder.in_(sa.select(id)), keys.c.until.is_(None)
        self.lose = Prepared(keys.delete().where(*held))
        self.expire = Prepared(keys.delete().where(*held, keys.c.window <= self._now))
        self.leave = Prepared(keys.update().where(*held).values(until=keys.c.window))

    def _places(self) -> None:
        keys, messages, asked = self._keys, self._messages, self.places
        place = sa.and_(keys.c.queue == asked.c.queue, keys.c.key == asked.c.key)
        holder = sa.and_(keys.c.until.is_(None), messages.c.id == keys.c.holder)
        self.load = Prepared(
            sa.select(
                *(keys.c.queue, keys.c.key, keys.c.holder, keys.c.first, keys.c.window),
                *(keys.c.until, messages.c.state, messages.c.marks),
            ).select_from(asked.source.join(keys, place).outerjoin(messages, holder))
        )

    def _hasten(self) -> None:
        messages = self._messages
        parked = messages.c.state == PARKED
        later = sa.and_(messages.c.state != LEASED, messages.c.moment > self._now)
        mark = sa.bindparam("mark", type_=_INT)
        self.hasten = Prepared(
            messages.update()
            .where(messages.c.id.in_(sa.select(self.id_rows.c.id)))
            .values(
                marks=messages.c.marks.bitwise_or(mark),
                moment=sa.case((later, self._now), else_=messages.c.moment),
                group_name=sa.case((parked, sa.null()), else_=messages.c.group_name),
                state=sa.case((parked, WAITING), else_=messages.c.state),
            )
        )


class Key(Struct, frozen=True):
    """A key that is held. `live`: not by its window alone; `replaceable`: by a message that waits."""

    holder: bytes
    first: int
    window: int
    live: bool
    replaceable: bool


class Contest:
    """The keys that one call asks for: loaded once, given away in order, written back once."""

    def __init__(
        self, connection: sa.Connection, sql: "Statements", places: Iterable[Place], now: int
    ) -> None:
        self._connection = connection
        self._sql = sql.keys
        self._now = now
        self._held: dict[Place, Key] = {}
        self._given: dict[Place, Key] = {}
        self._superseded: list[bytes] = []
        self._moved: list[bytes] = []
        for packed in self._sql.places.packed([*dict.fromkeys(places)]):
            for queue, key, holder, first, window, until, state, marks in self._sql.load.run(
                connection, packed
            ).fetchall():
                if until is None or until > now:
                    live = until is None
                    replaceable = live and state != LEASED and marks == 0
                    self._held[queue, key] = Key(holder, first, window, live, replaceable)

    def send(self, message: Message) -> tuple[Sent, int]:
        """Whether a message that is sent gets its key, and when it then falls due."""
        due, unique = self._now + span(message.delay), message.unique
        if unique is None:
            return Sent(message.id, "stored"), due
        key, first, superseded = self._held.get((message.queue, unique.key)), self._now, None
        if key is not None:
            holder = UUID(bytes=key.holder)
            if unique.on_taken == "keep" or not key.replaceable:
                return Sent(message.id, "taken", holder), due
            self._superseded.append(key.holder)
            first, superseded = key.first, holder
        self._give(message, unique, first)
        if unique.max_wait is not None:
            due = max(self._now, min(due, first + span(unique.max_wait)))
        return Sent(message.id, "stored", superseded=superseded), due

    def revive(self, message: Message) -> Sent:
        """Whether a dead message gets its key anew; a window that it left itself is no hindrance."""
        if message.unique is not None:
            key = self._held.get((message.queue, message.unique.key))
            if key is not None and key.holder != message.id.bytes:
                return Sent(message.id, "taken", UUID(bytes=key.holder))
            self._give(message, message.unique, self._now)
        return Sent(message.id, "stored")

    def move(self, id: bytes, place: Place, to: Place) -> bool:
        """Whether a message goes to another queue: not if it has a key and that is taken there."""
        key = self._held.get(place)
        if key is None or not key.live or key.holder != id:
            return True
        if to in self._held and self._held[to].holder != id:
            return False
        self._moved.append(id)
        self._held[to] = self._given[to] = key
        return True

    def write(self) -> None:
        """Writes down who holds what, once the messages are where they belong."""
        for packed in self._sql.id_rows.packed([(id,) for id in self._moved]):
            self._sql.lose.run(self._connection, packed)
        rows = [(*place, key.holder, key.first, key.window) for place, key in self._given.items()]
        for packed in self._sql.rows.packed(rows):
            self._sql.put.run(self._connection, packed)
        hasten(self._connection, self._sql, self._superseded, SUPERSEDED, self._now)

    def _give(self, message: Message, unique: Unique, first: int) -> None:
        key = Key(message.id.bytes, first, self._now + span(unique.window), True, True)
        self._held[message.queue, unique.key] = self._given[message.queue, unique.key] = key


def free(connection: sa.Connection, sql: "Statements", ids: Iterable[bytes], now: int) -> None:
    """Frees the keys that these messages hold; their windows hold them on."""
    for packed in sql.keys.id_rows.packed([(id,) for id in ids]):
        sql.keys.expire.run(connection, {"now": now, **packed})
        sql.keys.leave.run(connection, packed)


def hasten(
    connection: sa.Connection, sql: KeyStatements, ids: Iterable[bytes], mark: int, now: int
) -> None:
    """Marks messages and makes them due now; what was parked leaves its group."""
    for packed in sql.id_rows.packed([(id,) for id in ids]):
        sql.hasten.run(connection, {"mark": mark, "now": now, **packed})
