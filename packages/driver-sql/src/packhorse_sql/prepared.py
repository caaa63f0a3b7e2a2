"""A statement of the hot road: SQLAlchemy writes its text once, the client library runs it.

Running it through SQLAlchemy costs some 20 µs each time, as much as SQLite takes for the insert of a
message. What that buys these statements do without: their cells are integers, text and bytes, which
every client library takes and gives as they are.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler


class Prepared:
    """Made without compiling; the first run compiles, for the dialect of its connection."""

    def __init__(self, statement: ClauseElement) -> None:
        self.statement = statement
        self._text = ""
        self._order: list[str] | None = None
        self._fixed: dict[str, object] = {}

    def run(self, connection: sa.Connection, given: Mapping[str, object]) -> DBAPICursor:
        """Executes it in whatever transaction there is; the cursor has its rows and their count.

        `given` may hold more than the statement asks for. Raises the client library's own errors.
        """
        if not self._text:
            self._compile(connection.dialect)
        values = {**self._fixed, **given} if self._fixed else given
        cursor = connection.connection.cursor()
        if self._order is None:
            cursor.execute(self._text, values)
        else:
            cursor.execute(self._text, [values[name] for name in self._order])
        return cursor

    def _compile(self, dialect: sa.Dialect) -> None:
        compiled = self.statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        self._order = compiled.positiontup  # None: the client library takes parameters by name
        names = compiled.bind_names.items()
        self._fixed = {name: bind.effective_value for bind, name in names if not bind.required}
        self._text = compiled.string  # last, for other threads that ask whether it is there
