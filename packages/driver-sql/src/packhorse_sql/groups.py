"""Groups: the head of each stands in line, waiting or leased; the others are parked behind it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from packhorse_sql.dialect import Dialect
from packhorse_sql.prepared import Prepared
from packhorse_sql.schema import PARKED, WAITING, Tables

if TYPE_CHECKING:
    from packhorse_sql.statements import Statements


class GroupStatements:
    """`promote` lets the first of what is parked wait, in each group that has no head."""

    def __init__(self, tables: Tables, dialect: type[Dialect]) -> None:
        messages = tables.messages
        self.rows = rows = dialect.rows(queue=sa.String(), name=sa.String())
        one = messages.alias("one")
        first = (
            sa.select(one.c.seq)
            .where(one.c.queue == rows.c.queue, one.c.group_name == rows.c.name)
            .order_by(one.c.state, one.c.seq)
            .limit(1)
            .scalar_subquery()
        )
        firsts = sa.select(first).select_from(rows.source)
        self.promote = Prepared(
            messages.update()
            .where(messages.c.seq.in_(firsts), messages.c.state == PARKED)
            .values(state=WAITING, lease=sa.bindparam("call", type_=sa.BigInteger()))
        )


def promote(
    connection: sa.Connection, sql: "Statements", groups: Iterable[tuple[str, str]], call: int
) -> None:
    """Gives each group (queue and name) a head, if it has none and is not empty."""
    for packed in sql.groups.rows.packed([*dict.fromkeys(groups)]):
        sql.groups.promote.run(connection, {"call": call, **packed})
