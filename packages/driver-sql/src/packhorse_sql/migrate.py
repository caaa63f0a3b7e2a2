"""Brings the tables of a database up to date, one numbered step after the other."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from packhorse.plugin import ConfigError
from packhorse_sql.dialect import Dialect, Session
from packhorse_sql.schema import Tables

Step = Callable[[sa.Connection, Tables], None]


def _create(connection: sa.Connection, tables: Tables) -> None:
    tables.metadata.create_all(connection)
    meta = tables.meta.insert()
    connection.execute(meta, [{"name": "version", "value": 0}, {"name": "moment", "value": 0}])


STEPS: tuple[Step, ...] = (_create,)
"""Step n brings a database from version n to n + 1; a step that was released is never changed."""


def upgrade(
    dialect: Dialect, session: Session, tables: Tables, steps: Sequence[Step] = STEPS
) -> tuple[int, int]:
    """Takes the steps that are missing, in one transaction; the versions before and after.

    Raises `ConfigError` where the database is newer than this package.
    """
    found = _version(session.connection, tables)
    if found < len(steps):
        dialect.begin(session)
        try:
            # Asked again, since another process may have taken its turn first.
            found = _version(session.connection, tables)
            for step in steps[found:]:
                step(session.connection, tables)
            if found < len(steps):
                meta = tables.meta
                connection = session.connection
                connection.execute(
                    meta.update().where(meta.c.name == "version").values(value=len(steps))
                )
            dialect.commit(session)
        except BaseException:
            dialect.rollback(session)
            raise
    check(dialect, found, len(steps))
    return found, len(steps)


def check(dialect: Dialect, found: int, known: int = len(STEPS)) -> None:
    """Raises `ConfigError` for a schema that this package is too old for."""
    if found > known:
        raise ConfigError(
            f"{dialect} has packhorse's tables in version {found} and this packhorse-sql knows "
            f"them up to {known}: upgrade packhorse-sql here"
        )


def _version(connection: sa.Connection, tables: Tables) -> int:
    if not sa.inspect(connection).has_table(tables.meta.name):
        return 0
    version = sa.select(tables.meta.c.value).where(tables.meta.c.name == "version")
    return connection.scalar(version) or 0
