"""Run compiled statements on the driver's cursor, with errors that quote no values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from efface.errors import (
    AutocommitError,
    ConnectionLostError,
    ConstraintError,
    RowCountError,
    SchemaTranslateMapError,
    StatementError,
)
from efface.errors.database_refusals import refused
from efface.plan.compiled_statement import CompiledStatement


class Cursor:
    """A cursor in the caller's transaction that counts its statements."""

    def __init__(self, connection: Connection) -> None:
        """Join the transaction of *connection*, and begin it if there is none.

        Raises:
            SchemaTranslateMapError: the statements would run in another schema.
            AutocommitError: the connection commits each statement by itself.
        """
        if connection.get_execution_options().get("schema_translate_map"):
            raise SchemaTranslateMapError
        if not connection.in_transaction():
            # SQLAlchemy does the same at the first statement; the caller commits.
            connection.begin()
        if _commits_each_statement(connection):
            raise AutocommitError
        self.connection = connection
        self.statement_count = 0
        self._dbapi: Any = connection.dialect.loaded_dbapi
        self._cursor: Any = connection.connection.cursor()

    def run(self, statement: CompiledStatement, values: Mapping[str, Any]) -> int:
        """Run *statement* and return the number of rows it changed."""
        self._execute(statement, statement.bind(values))
        count: int = self._cursor.rowcount
        return count

    def rows(
        self, statement: CompiledStatement, values: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """Run *statement* and return its rows with converted values."""
        self._execute(statement, statement.bind(values))
        try:
            return statement.rows(self._cursor)
        except Exception as error:  # noqa: BLE001  # a type that cannot read a value quotes it
            raise self._refused(statement.table, statement.act, error) from None

    def stream(
        self, statement: CompiledStatement, values: Mapping[str, Any]
    ) -> Iterator[tuple[Any, ...]]:
        """Run *statement* and yield its rows as the driver returns them, 1,000 at a time."""
        self._execute(statement, statement.bind(values))
        while rows := self._next(statement):
            yield from rows

    def expect(self, statement: CompiledStatement, written: int, meant: int) -> None:
        """Check that *statement* has written as many rows as were meant.

        Raises:
            RowCountError: it has written fewer or more.
        """
        if written != meant:
            raise RowCountError(statement.table, statement.act, written, meant)

    def check(self, statement: CompiledStatement) -> None:
        """Run a check of foreign keys: the database raises, or returns the broken rows.

        Raises:
            ConstraintError: a foreign key would be broken at the commit.
        """
        self._execute(statement, statement.bind({}))
        if self._cursor.description is not None and (broken := self._cursor.fetchone()) is not None:
            # SQLite names the referring table, the row, and the table that it refers to.
            referring, _, referred, *_ = broken
            constraint = f"FOREIGN KEY (from {referring} to {referred})"
            raise ConstraintError(statement.table, statement.act, "foreign key", None, constraint)

    @contextmanager
    def savepoint(self, table: str, undone_by: type[Exception] = ConstraintError) -> Iterator[None]:
        """Roll back the block's changes to *table* if it raises *undone_by*.

        Blocks may be nested: the database's savepoint name means the innermost.
        """
        self._plain("SAVEPOINT efface", table)
        try:
            yield
        # Without a connection there is no savepoint to return to.
        except ConnectionLostError:
            raise
        except undone_by:
            self._undo(table)
            raise
        self._plain("RELEASE SAVEPOINT efface", table)

    @contextmanager
    def rehearsal(self, table: str) -> Iterator[None]:
        """Roll back the block's changes, whatever they are, at its end; *table* is for errors."""
        with self.savepoint(table, Exception):
            yield
            # Inside, where the savepoint still exists.
            self._plain("ROLLBACK TO SAVEPOINT efface", table)

    def _undo(self, table: str) -> None:
        self._plain("ROLLBACK TO SAVEPOINT efface", table)
        self._plain("RELEASE SAVEPOINT efface", table)

    def close(self) -> None:
        """Close the cursor."""
        self._cursor.close()

    def _plain(self, sql: str, table: str) -> None:
        self.statement_count += 1
        try:
            self._cursor.execute(sql)
        except Exception as error:  # noqa: BLE001  # as in _execute
            raise self._refused(table, "redact", error) from None

    def _next(self, statement: CompiledStatement) -> list[tuple[Any, ...]]:
        try:
            rows: list[tuple[Any, ...]] = self._cursor.fetchmany(1000)
        except Exception as error:  # noqa: BLE001  # as in _execute
            raise self._refused(statement.table, statement.act, error) from None
        return rows

    def _execute(self, statement: CompiledStatement, bound: Any) -> None:
        self.statement_count += 1
        try:
            self._cursor.execute(statement.sql, bound)
        except Exception as error:  # noqa: BLE001  # not all that drivers raise is theirs
            raise self._refused(statement.table, statement.act, error) from None

    def _refused(self, table: str, act: str, error: Exception) -> StatementError:
        # No cause and no text of the driver: both may quote rows.
        connection = self.connection.connection.dbapi_connection
        is_lost = self.connection.dialect.is_disconnect(error, connection, self._cursor)  # type: ignore[arg-type]  # the driver's own types
        is_conflict = isinstance(error, self._dbapi.IntegrityError)
        if is_lost:
            # The pool must not reuse this connection.
            self.connection.invalidate()
        return refused(table, act, error, is_lost=is_lost, is_conflict=is_conflict)


def _commits_each_statement(connection: Connection) -> bool:
    dbapi: Any = connection.connection.dbapi_connection
    try:
        is_set = connection.dialect.detect_autocommit_setting(dbapi)
    except NotImplementedError:
        return False
    if is_set and connection.dialect.name == "sqlite":
        # An application that begins transactions itself sets the driver to autocommit.
        cursor: Any = connection.connection.driver_connection
        return not cursor.in_transaction
    return is_set
