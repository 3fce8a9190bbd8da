"""The driver's cursor behind a connection: runs compiled statements, drops the driver's text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from efface.errors import StatementError
from efface.plan.compiled import Statement


class Driver:
    """One cursor in the caller's transaction; counts the statements it has run."""

    def __init__(self, connection: Connection) -> None:
        """Join the transaction of *connection*, beginning it where nothing has run yet."""
        if not connection.in_transaction():
            # As SQLAlchemy itself does at the first statement: the caller commits.
            connection.begin()
        self.connection = connection
        self.statements = 0
        self._errors: type[Exception] = connection.dialect.loaded_dbapi.Error
        self._cursor: Any = connection.connection.cursor()

    def run(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """Run *statement* and return the number of rows it changed."""
        self._execute(statement, statement.bind(values))
        count: int = self._cursor.rowcount
        return count

    def rows(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run *statement* and return its rows."""
        self._execute(statement, statement.bind(values))
        return statement.rows(self._cursor)

    def stream(self, statement: Statement, values: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
        """Run *statement* and yield its rows as the driver has them, some at a time."""
        self._execute(statement, statement.bind(values))
        while rows := self._cursor.fetchmany(1000):
            yield from rows

    def run_many(self, statement: Statement, values: Sequence[Mapping[str, Any]]) -> None:
        """Run *statement* once for each of *values*, as one call of the driver."""
        bound = [statement.bind(each) for each in values]
        self.statements += 1
        try:
            self._cursor.executemany(statement.sql, bound)
        except self._errors as error:
            raise self._refused(statement, error) from None

    def close(self) -> None:
        """Give the cursor back."""
        self._cursor.close()

    def _execute(self, statement: Statement, bound: Any) -> None:
        self.statements += 1
        try:
            self._cursor.execute(statement.sql, bound)
        except self._errors as error:
            raise self._refused(statement, error) from None

    def _refused(self, statement: Statement, error: Exception) -> StatementError:
        # `from None` and no text: drivers quote rows in what they say.
        sqlstate = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
        return StatementError(statement.table, statement.act, type(error).__name__, sqlstate)
