"""Small bounded steps that ride along with a write now and then, so that nothing needs a timer."""

import time

import sqlalchemy as sa

from packhorse_sql.moments import Moments
from packhorse_sql.schema import Tables

EVERY = 1.0
"""Seconds between two steps, unless there is more to do than one step takes."""

STEP = 1_000
"""Rows of a table that one step removes."""


class Upkeep:
    """Purges what is over and keeps the clock's last moment, once a second of writing at most."""

    def __init__(self, tables: Tables, moments: Moments) -> None:
        self._tables = tables
        self._moments = moments
        self._next = 0.0

    def due(self) -> bool:
        """Whether it is time for a step."""
        return time.monotonic() >= self._next

    def run(self, connection: sa.Connection) -> None:
        """Takes one step if it is time; within the caller's transaction."""
        if not self.due():
            return
        self.read_moment(connection)
        now = self._moments.now()
        meta = self._tables.meta
        connection.execute(meta.update().where(meta.c.name == "moment").values(value=now))
        more = self._purge(connection, now)
        self._next = time.monotonic() + (0.0 if more else EVERY)

    def read_moment(self, connection: sa.Connection) -> None:
        """Moves the clock on to the last moment that was written down."""
        meta = self._tables.meta
        kept = connection.scalar(sa.select(meta.c.value).where(meta.c.name == "moment"))
        self._moments.at_least(kept or 0)

    def _purge(self, connection: sa.Connection, now: int) -> bool:
        """Removes what is over; whether there is more of it than one step takes."""
        known, keys, store, members, paused = (
            self._tables.known,
            self._tables.keys,
            self._tables.store,
            self._tables.members,
            self._tables.paused,
        )
        over = _some(store.c.key, store.c.until <= now, store.c.until)
        orphans = (
            sa.select(members.c.key, members.c.member)
            .where(members.c.key.in_(over))
            .limit(STEP)
            .subquery()
        )
        unheld = (
            sa.select(keys.c.queue, keys.c.key)
            .where(keys.c.until <= now)
            .order_by(keys.c.until)
            .limit(STEP)
            .subquery()
        )
        steps = (
            known.delete().where(
                known.c.id.in_(_some(known.c.id, known.c.until <= now, known.c.until))
            ),
            members.delete().where(
                sa.tuple_(members.c.key, members.c.member).in_(
                    sa.select(orphans.c.key, orphans.c.member)
                )
            ),
            keys.delete().where(
                sa.tuple_(keys.c.queue, keys.c.key).in_(sa.select(unheld.c.queue, unheld.c.key))
            ),
            store.delete().where(
                store.c.key.in_(over),
                ~sa.exists().where(members.c.key == store.c.key),
            ),
            paused.delete().where(paused.c.until <= now),
        )
        return max(connection.execute(step).rowcount for step in steps) >= STEP


def _some(
    key: sa.Column[str] | sa.Column[bytes], condition: sa.ColumnElement[bool], order: sa.Column[int]
) -> sa.Select[tuple[str]] | sa.Select[tuple[bytes]]:
    """At most one step's worth of keys; wrapped, since MySQL takes no LIMIT directly inside IN."""
    some = sa.select(key).where(condition).order_by(order).limit(STEP).subquery()
    return sa.select(some.c[key.name])
