"""The statements of the hot road, built once for each prefix and dialect.

Rows travel packed in the parameters of one statement (`Dialect.rows`), so that a call costs a fixed
number of statements whatever its size.
"""

from functools import lru_cache

import sqlalchemy as sa

from packhorse_sql.dialect import Columns, Dialect, Rows
from packhorse_sql.groups import GroupStatements
from packhorse_sql.keys import KeyStatements
from packhorse_sql.prepared import Prepared
from packhorse_sql.schema import CANCELLED, LEASED, PARKED, WAITING, tables

_ID = sa.LargeBinary(16)
_BYTES = sa.LargeBinary()
_INT = sa.BigInteger()
_TEXT = sa.String()


class Statements:
    """Every statement of `send`, `reserve`, `renew` and `settle`."""

    def __init__(self, prefix: str, dialect: type[Dialect]) -> None:
        self._tables = tables(prefix)
        self._dialect = dialect
        self._send()
        self._revive()
        self._settle()
        self._look()
        self._store()
        self.id_rows = dialect.rows(id=_ID)
        self.keys = KeyStatements(self._tables, dialect)
        self.groups = GroupStatements(self._tables, dialect)

    def _send(self) -> None:
        """`add` sends rows, `add_one` one message, `add_all` rows that may have keys and groups;
        `stored` says which ids a call has stored."""
        one = sa.select(
            sa.bindparam("one_id", type_=_ID).label("id"),
            sa.bindparam("one_queue", type_=_TEXT).label("queue"),
            sa.bindparam("one_moment", type_=_INT).label("moment"),
            sa.bindparam("one_once", type_=_INT).label("once"),
            sa.bindparam("one_body", type_=_BYTES).label("body"),
        ).subquery("one")
        rows = self._dialect.rows(id=_ID, queue=_TEXT, moment=_INT, once=_INT, body=_BYTES)
        all_rows = self._dialect.rows(
            id=_ID, queue=_TEXT, moment=_INT, once=_INT, body=_BYTES, group=_TEXT, unique=_TEXT
        )
        dead, known = self._tables.dead, self._tables.known

        def fresh(id: sa.ColumnElement[bytes]) -> sa.ColumnElement[bool]:
            return ~sa.or_(
                sa.exists().where(known.c.id == id, known.c.until > sa.bindparam("now")),
                sa.exists().where(dead.c.id == id),
            )

        self.message_rows = rows
        self.all_rows = all_rows
        self.add = self._adding(rows.source, rows.c, fresh(rows.c.id))
        self.add_one = self._adding(one, one.c, fresh(one.c.id))
        self.add_all = self._adding(all_rows.source, all_rows.c, fresh(all_rows.c.id))
        self.stored = self._stored(rows)
        self.all_stored = self._stored(all_rows)

    def _stored(self, rows: Rows) -> Prepared:
        messages = self._tables.messages
        return Prepared(
            sa.select(messages.c.id)
            .join_from(rows.source, messages, messages.c.id == rows.c.id)
            .where(messages.c.lease == sa.bindparam("call"))
        )

    def _adding(
        self,
        source: sa.FromClause,
        given: Columns,
        condition: sa.ColumnElement[bool],
    ) -> Prepared:
        """INSERT messages from a source; `call` marks those that this call has stored.

        All of them wait, but for those with a group, which are parked until they are promoted.
        """
        messages = self._tables.messages
        columns = {
            "id": given["id"],
            "queue": given["queue"],
            "state": sa.literal_column(str(WAITING)),
            "moment": given["moment"],
            "due": sa.literal_column("0"),
            "lease": sa.bindparam("call", type_=_INT),
            "deliveries": sa.literal_column("0"),
            "marks": sa.literal_column("0"),
            "once": given["once"],
            "body": given["body"],
        }
        if "group" in given:
            parked = given["group"].is_not(None)
            columns["state"] = sa.case((parked, PARKED), else_=WAITING)
            columns |= {"group_name": given["group"], "uniqueness": given["unique"]}
        select = sa.select(*columns.values()).select_from(source).where(condition)
        return Prepared(self._dialect.adding(messages, list(columns), select))

    def _revive(self) -> None:
        """`revive` copies dead messages back; `exhume` removes them from the dead."""
        dead, rows = self._tables.dead, self.all_rows
        found = sa.join(rows.source, dead, dead.c.id == rows.c.id)
        given = sa.select(
            *(rows.c.id, rows.c.queue, rows.c.moment, dead.c.once, rows.c.body),
            *(rows.c.group, rows.c.unique),
        ).select_from(found)
        source = given.subquery("revived")
        self.revive = self._adding(source, source.c, sa.true())
        self.exhume = Prepared(dead.delete().where(dead.c.id.in_(sa.select(rows.c.id))))

    def _settle(self) -> None:
        """What settling and renewing do to rows whose lease is current; `stale` finds the others."""
        messages, dead = self._tables.messages, self._tables.dead
        held = self._dialect.rows(seq=_INT, lease=_INT)
        self.held_rows = held
        current = sa.exists().where(
            messages.c.seq == held.c.seq,
            messages.c.lease == held.c.lease,
            messages.c.state == LEASED,
        )
        self.stale = Prepared(sa.select(held.c.seq, held.c.lease).where(~current))
        among = messages.c.seq.in_(sa.select(held.c.seq))
        self.remove = Prepared(messages.delete().where(among))
        back = messages.update().where(among)
        back = back.values(state=WAITING, moment=messages.c.due, worker=None)
        self.give_back = Prepared(back.values(deliveries=messages.c.deliveries - 1))
        self.give_back_counted = Prepared(back)
        self.renew = Prepared(messages.update().where(among).values(moment=sa.bindparam("until")))
        cancelled = messages.c.marks.bitwise_and(CANCELLED) != 0
        self.cancelled = Prepared(sa.select(messages.c.seq).where(among, cancelled))

        again = self._dialect.rows(seq=_INT, moment=_INT, body=_BYTES)
        self.retry_rows = again
        self.retry = Prepared(
            messages.update()
            .where(messages.c.seq == again.c.seq)
            .values(
                state=WAITING,
                # A message that was cancelled meanwhile is due at once, for a worker to settle it.
                moment=sa.case((messages.c.marks != 0, sa.bindparam("now")), else_=again.c.moment),
                body=again.c.body,
                deliveries=0,
                worker=None,
            )
        )
        records = self._dialect.rows(seq=_INT, record=_BYTES)
        self.record_rows = records
        kept = ["id", "queue", "worker", "deliveries", "marks", "once", "body"]
        kept += ["group_name", "uniqueness"]
        dying = sa.select(
            *(messages.c[name] for name in kept),
            sa.bindparam("now", type_=_INT),
            records.c.record,
        ).join_from(records.source, messages, messages.c.seq == records.c.seq)
        self.bury = Prepared(dead.insert().from_select([*kept, "moment", "record"], dying))
        known = self._dialect.rows(id=_ID, until=_INT)
        self.known_rows = known
        over = sa.select(known.c.id, known.c.until).select_from(known.source)
        self.remember = Prepared(self._dialect.replacing(self._tables.known, ["id", "until"], over))

    def _look(self) -> None:
        """`look` tells, of each asked queue, what could be claimed and when there will be more."""
        messages, paused = self._tables.messages, self._tables.paused
        asked = self._dialect.rows(queue=_TEXT)
        now = sa.bindparam("now", type_=_INT)

        def first(state: int, come: bool) -> sa.ScalarSelect[int]:
            when = messages.c.moment <= now if come else messages.c.moment > now
            return (
                sa.select(messages.c.moment)
                .where(messages.c.queue == asked.c.queue, messages.c.state == state, when)
                .order_by(messages.c.moment)
                .limit(1)
                .scalar_subquery()
            )

        pause = sa.and_(
            paused.c.queue == asked.c.queue,
            sa.or_(paused.c.until.is_(None), paused.c.until > now),
        )
        self.queue_rows = asked
        look = sa.select(
            asked.c.queue,
            first(LEASED, True).label("ended"),
            first(WAITING, True).label("due"),
            first(LEASED, False).label("ends"),
            first(WAITING, False).label("falls_due"),
            paused.c.queue.is_not(None).label("paused"),
            paused.c.until.label("paused_until"),
        )
        self.look = Prepared(look.select_from(sa.outerjoin(asked.source, paused, pause)))

    def _store(self) -> None:
        """What the store does to keys and to members of sets."""
        store, members = self._tables.store, self._tables.members
        keys = self._dialect.rows(key=_TEXT)
        self.key_rows = keys
        asked = sa.select(keys.c.key)
        self.remove_entries = Prepared(store.delete().where(store.c.key.in_(asked)))
        self.remove_sets = Prepared(members.delete().where(members.c.key.in_(asked)))
        entries = self._dialect.rows(key=_TEXT, kind=_INT, value=_BYTES, number=_INT, until=_INT)
        self.entry_rows = entries
        put = sa.select(*entries.c).select_from(entries.source)
        self.put_entries = Prepared(self._dialect.replacing(store, entries.c.keys(), put))
        given = self._dialect.rows(member=_BYTES)
        self.member_rows = given
        key = sa.bindparam("of_key", type_=_TEXT)
        new = sa.select(key, given.c.member).select_from(given.source)
        self.add_members = Prepared(self._dialect.adding(members, ["key", "member"], new))
        these = members.c.member.in_(sa.select(given.c.member))
        self.remove_members = Prepared(members.delete().where(members.c.key == key, these))
        wanted = sa.bindparam("of_member", type_=_BYTES, required=True)
        one = sa.select(sa.literal(1)).where(members.c.key == key, members.c.member == wanted)
        self.has_member = Prepared(one)


@lru_cache
def statements(prefix: str, dialect: type[Dialect]) -> Statements:
    """The statements for a prefix and a dialect, built once."""
    return Statements(prefix, dialect)
