"""The tables: one hot table of live messages, and beside it what outlives them.

A moment is an integer of microseconds since 1970. A message's row leaves `messages` when the
message is done or dead, so the table that is claimed from stays as small as the backlog.
"""

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import SchemaItem

WAITING, LEASED, PARKED = 0, 1, 2
"""States of a row in `messages`; each is an ordered set by `moment` within its queue."""

CANCELLED, SUPERSEDED = 1, 2
"""Bits of `marks`."""

BYTES, NUMBER, SET = 0, 1, 2
"""Kinds of a row in `store`."""

_Moment = sa.BigInteger
_Sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_Id = sa.LargeBinary(16)


class Tables:
    """The tables under one prefix, `packhorse_` unless the connection says otherwise."""

    def __init__(self, prefix: str) -> None:
        self.metadata = sa.MetaData()
        self.prefix = prefix
        self.messages = self._messages()
        self.known = self._known()
        self.keys = self._keys()
        self.dead = self._dead()
        self.paused = self._paused()
        self.store = self._store()
        self.members = self._members()
        self.meta = self._meta()

    def _table(self, name: str, *parts: SchemaItem, **options: Any) -> sa.Table:
        return sa.Table(self.prefix + name, self.metadata, *parts, **options)

    def _index(self, name: str, *columns: str, **options: Any) -> sa.Index:
        return sa.Index(f"{self.prefix}{name}", *columns, **options)

    def _messages(self) -> sa.Table:
        """Live messages.

        `moment`: when a waiting row falls due, or when a leased row's lease ends. `due`: the place
        in line that a leased row had. `lease`: the random number of the claim that holds the row,
        or of the call that sent or promoted it, among others. `marks`: bits, 0 for most. `once`:
        microseconds for which the id stays known. `uniqueness`: the message's `Unique` as JSON. A
        group is indexed with its head first, since what is parked has the highest state.
        """
        group = sa.text("group_name IS NOT NULL")
        return self._table(
            "messages",
            sa.Column("seq", _Sequence, primary_key=True, autoincrement=True),
            sa.Column("id", _Id, nullable=False, unique=True),
            sa.Column("queue", sa.String(255), nullable=False),
            sa.Column("state", sa.SmallInteger, nullable=False),
            sa.Column("moment", _Moment, nullable=False),
            sa.Column("due", _Moment, nullable=False),
            sa.Column("lease", sa.BigInteger, nullable=False),
            sa.Column("worker", sa.String(255)),
            sa.Column("deliveries", sa.Integer, nullable=False),
            sa.Column("marks", sa.SmallInteger, nullable=False),
            sa.Column("once", sa.BigInteger, nullable=False),
            sa.Column("group_name", sa.String(255)),
            sa.Column("uniqueness", sa.Text),
            sa.Column("body", sa.LargeBinary, nullable=False),
            self._index("messages_line", "queue", "state", "moment", "seq"),
            self._index(
                "messages_group",
                *("queue", "group_name", "state", "seq"),
                sqlite_where=group,
            ),
        )

    def _known(self) -> sa.Table:
        """Ids of messages that are gone and still answered "known"."""
        return self._table(
            "known",
            sa.Column("id", _Id, primary_key=True),
            sa.Column("until", _Moment, nullable=False),
            self._index("known_until", "until"),
            sqlite_with_rowid=False,
        )

    def _keys(self) -> sa.Table:
        """Unique keys and who holds them.

        `until` is NULL while the holder is live, then the end of its `window`. `first`: when the
        run of replacements began that the holder is the last of.
        """
        gone = sa.text("until IS NOT NULL")
        return self._table(
            "keys",
            sa.Column("queue", sa.String(255), primary_key=True),
            sa.Column("key", sa.String(255), primary_key=True),
            sa.Column("holder", _Id, nullable=False),
            sa.Column("first", _Moment, nullable=False),
            sa.Column("window", _Moment, nullable=False),
            sa.Column("until", _Moment),
            self._index("keys_holder", "holder"),
            self._index("keys_until", "until", sqlite_where=gone),
            sqlite_with_rowid=False,
        )

    def _dead(self) -> sa.Table:
        """Messages that failed for good, whole, with the record of their death."""
        return self._table(
            "dead",
            sa.Column("seq", _Sequence, primary_key=True, autoincrement=True),
            sa.Column("id", _Id, nullable=False, unique=True),
            sa.Column("queue", sa.String(255), nullable=False),
            sa.Column("moment", _Moment, nullable=False),
            sa.Column("worker", sa.String(255)),
            sa.Column("deliveries", sa.Integer, nullable=False),
            sa.Column("marks", sa.SmallInteger, nullable=False),
            sa.Column("once", sa.BigInteger, nullable=False),
            sa.Column("group_name", sa.String(255)),
            sa.Column("uniqueness", sa.Text),
            sa.Column("body", sa.LargeBinary, nullable=False),
            sa.Column("record", sa.LargeBinary, nullable=False),
            self._index("dead_queue", "queue", "moment", "seq"),
            self._index("dead_moment", "moment", "seq"),
        )

    def _paused(self) -> sa.Table:
        """Paused queues; without `until`, until somebody resumes them."""
        return self._table(
            "paused",
            sa.Column("queue", sa.String(255), primary_key=True),
            sa.Column("until", _Moment),
            sqlite_with_rowid=False,
        )

    def _store(self) -> sa.Table:
        """Keys of the store; `number` is an integer's value or how many members a set has."""
        return self._table(
            "store",
            sa.Column("key", sa.String(255), primary_key=True),
            sa.Column("kind", sa.SmallInteger, nullable=False),
            sa.Column("value", sa.LargeBinary),
            sa.Column("number", sa.BigInteger, nullable=False),
            sa.Column("until", _Moment),
            self._index("store_until", "until"),
            sqlite_with_rowid=False,
        )

    def _members(self) -> sa.Table:
        """Members of the store's sets."""
        return self._table(
            "members",
            sa.Column("key", sa.String(255), primary_key=True),
            sa.Column("member", sa.LargeBinary(255), primary_key=True),
            sqlite_with_rowid=False,
        )

    def _meta(self) -> sa.Table:
        """Facts about the database itself: `version` of the schema, last `moment` handed out."""
        return self._table(
            "meta",
            sa.Column("name", sa.String(40), primary_key=True),
            sa.Column("value", sa.BigInteger, nullable=False),
            sqlite_with_rowid=False,
        )


@lru_cache
def tables(prefix: str) -> Tables:
    """The tables under a prefix, built once."""
    return Tables(prefix)
