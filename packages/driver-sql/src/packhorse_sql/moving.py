"""Moving messages to another queue, with the keys that they hold and into the groups that are there."""

from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa

from packhorse_sql.groups import promote
from packhorse_sql.keys import Contest, unpacked_unique
from packhorse_sql.schema import LEASED, PARKED, WAITING, Tables
from packhorse_sql.sending import unique_number
from packhorse_sql.statements import Statements

Found: TypeAlias = "sa.Row[*tuple[Any, ...]]"


def move(
    connection: sa.Connection,
    tables: Tables,
    sql: Statements,
    ids: Sequence[UUID],
    queue: str,
    now: int,
) -> int:
    """Moves those that are not leased and whose key is free there, in the order of sending."""
    messages = tables.messages
    chosen = messages.c.id.in_(sa.select(sql.id_rows.c.id))
    find = sa.select(
        messages.c.seq,
        messages.c.id,
        messages.c.queue,
        messages.c.group_name,
        messages.c.uniqueness,
    ).where(chosen, messages.c.state != LEASED)
    found = [
        row
        for packed in sql.id_rows.packed([(id.bytes,) for id in dict.fromkeys(ids)])
        for row in connection.execute(find.order_by(messages.c.seq), packed)
    ]
    elsewhere = [row for row in found if row.queue != queue]
    contest, coming = _chosen(connection, sql, elsewhere, queue, now)
    parked = sa.case((messages.c.group_name.is_not(None), PARKED), else_=WAITING)
    go = messages.update().where(chosen).values(queue=queue, state=parked)
    for packed in sql.id_rows.packed([(row.id,) for row in coming]):
        connection.execute(go, packed)
    contest.write()
    grouped = [row for row in coming if row.group_name is not None]
    groups = [(at, row.group_name) for row in grouped for at in (row.queue, queue)]
    promote(connection, sql, groups, unique_number())
    return len(coming) + len(found) - len(elsewhere)


def _chosen(
    connection: sa.Connection, sql: Statements, rows: Sequence[Found], queue: str, now: int
) -> tuple[Contest, list[Found]]:
    """Those whose key, if they have one, is free on the other queue."""
    uniques = {row.id: unpacked_unique(row.uniqueness) for row in rows}
    keys = {id: unique.key for id, unique in uniques.items() if unique is not None}
    places = [(at, keys[row.id]) for row in rows if row.id in keys for at in (row.queue, queue)]
    contest = Contest(connection, sql, places, now)
    chosen = []
    for row in rows:
        key = keys.get(row.id)
        if key is None or contest.move(row.id, (row.queue, key), (queue, key)):
            chosen.append(row)
    return contest, chosen
