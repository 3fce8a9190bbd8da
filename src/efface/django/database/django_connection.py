"""Use Django's connection as a SQLAlchemy connection, with the same cursor and transaction.

SQLAlchemy compiles statements and converts values. Each statement runs on Django's cursor, so
`connection.queries`, `assertNumQueries` and `execute_wrapper` see it. Only Django begins, commits,
rolls back and closes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import sqlalchemy as sa
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import Error
from django.utils import timezone
from sqlalchemy.dialects.sqlite import DATE, DATETIME, TIME
from sqlalchemy.engine import Dialect
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeEngine

from efface.django.database.error_hints import add_advice
from efface.eraser.known_databases import HIDE_QUERIES
from efface.errors import AtomicBlockError, AutocommitOffError, EffaceError, SettingsError


@contextmanager
def sqlalchemy_connection(alias: str) -> Iterator[sa.Connection]:
    """Yield a SQLAlchemy connection inside Django's open transaction on the database *alias*.

    Pass it as the bind to the methods of an `Eraser`. Use it only in this block and in this thread.

    Raises:
        AtomicBlockError: no transaction is open, so Django would commit each statement by itself.
        AutocommitOffError: the connection has no autocommit, so no block would commit it.
        TransactionManagementError: the transaction has already failed.

    Example:
        with transaction.atomic(), sqlalchemy_connection("default") as bind:
            receipt = eraser().find_receipt(bind, user.pk)
    """
    connection = connections[alias]
    if not connection.in_atomic_block:
        raise AtomicBlockError(alias)
    # Inside an atomic block autocommit is always off. `commit_on_exit` is what it was before.
    if not connection.commit_on_exit:
        raise AutocommitOffError(alias)
    connection.validate_no_broken_transaction()
    try:
        with get_engine(alias).connect() as found:
            yield found
    except EffaceError as error:
        add_advice(error, alias)
        raise


@cache
def get_engine(alias: str) -> sa.Engine:
    """Return the engine for the database *alias*, which reuses Django's connections."""
    connection = connections[alias]
    connection.ensure_connection()
    factory = _ConnectionFactory(alias)
    # Django owns the connections, so SQLAlchemy must neither keep nor reset them.
    engine = sa.create_engine(
        _make_url(connection),
        creator=factory,
        poolclass=NullPool,
        pool_reset_on_return=None,
        execution_options={HIDE_QUERIES: hide_queries},
        **_make_options(connection),
    )
    engine.dialect.colspecs = {**engine.dialect.colspecs, **_find_types(engine.dialect, alias)}
    # SQLAlchemy queries version and settings of the database at its first connection. Do it now,
    # while the factory hides its queries.
    engine.connect().close()
    factory.is_known = True
    return engine


@contextmanager
def hide_queries(connection: sa.Connection) -> Iterator[None]:
    """Run the queries of the block on the driver's cursor, because they are Efface's own."""
    wrapped: Any = connection.connection.dbapi_connection
    was_visible, wrapped.is_visible = wrapped.is_visible, False
    try:
        yield
    finally:
        wrapped.is_visible = was_visible


def _make_url(connection: BaseDatabaseWrapper) -> str:
    driver = connection.Database.__name__
    if connection.vendor == "sqlite":
        return "sqlite+pysqlite://"
    if connection.vendor == "postgresql" and driver == "psycopg":
        return "postgresql+psycopg://"
    raise SettingsError(
        f"The database {connection.alias} is {connection.display_name} with the driver {driver}. "
        "Efface runs on PostgreSQL with psycopg 3, and on SQLite."
    )


def _make_options(connection: BaseDatabaseWrapper) -> dict[str, Any]:
    if connection.vendor == "sqlite":
        # Django replaces %s by the question marks of SQLite.
        return {"paramstyle": "format"}
    # SQLAlchemy looks for hstore on the driver's connection, which Django wraps.
    return {"use_native_hstore": False}


class _ConnectionFactory:
    """Give SQLAlchemy the connection of the current thread, because Django has one per thread."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self.is_known = False

    def __call__(self) -> _Connection:
        # The first queries of SQLAlchemy are not the application's, so hide them from Django.
        return _Connection(connections[self._alias], is_visible=self.is_known)


class _Connection:
    """Django's connection in place of the driver's. Only Django ends its transactions."""

    def __init__(self, django: BaseDatabaseWrapper, *, is_visible: bool) -> None:
        self._django, self.is_visible = django, is_visible

    def cursor(self, *_: Any, **__: Any) -> Any:
        """Return Django's cursor, or the driver's if Django must not record the query."""
        if not self.is_visible:
            # A backend that switches schemas selects the schema when Django asks for a cursor.
            self._django.cursor().close()
            return self._django.connection.cursor()
        return _Cursor(self._django.cursor())

    def commit(self) -> None:
        """Do nothing, because Django ends the transaction."""

    def rollback(self) -> None:
        """Do nothing, because Django ends the transaction."""

    def close(self) -> None:
        """Do nothing, because Django closes the connection."""

    def add_notice_handler(self, handler: Any) -> None:
        """Do nothing. Django's connection outlives this one, and a notice may quote rows."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._django.connection, name)


class _Cursor:
    """Django's cursor, with the driver's errors, because the engine reads their SQLSTATE."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, sql: str, parameters: Any = None) -> None:
        """Run *sql*."""
        with _raise_driver_errors():
            self._cursor.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Sequence[Any]) -> None:
        """Run *sql* once for each of *parameters*."""
        with _raise_driver_errors():
            self._cursor.executemany(sql, parameters)

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        with _raise_driver_errors():
            return self._cursor.fetchone()

    def fetchmany(self, size: int) -> Any:
        """Return up to *size* rows."""
        with _raise_driver_errors():
            return self._cursor.fetchmany(size)

    def fetchall(self) -> Any:
        """Return all remaining rows."""
        with _raise_driver_errors():
            return self._cursor.fetchall()

    def close(self) -> None:
        """Close the cursor."""
        self._cursor.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@contextmanager
def _raise_driver_errors() -> Iterator[None]:
    try:
        yield
    except Error as error:
        # Django wraps each error of the driver, and keeps the original as its cause.
        if error.__cause__ is None:
            raise
        raise error.__cause__ from None


def _find_types(dialect: Dialect, alias: str) -> dict[type[TypeEngine[Any]], Any]:
    """Return the types whose values Django's connections store or return differently."""
    found: dict[type[TypeEngine[Any]], Any] = {}
    if dialect.name == "sqlite":
        found[sa.DateTime] = _make_datetime_type(DATETIME, alias)
        found[sa.Date] = _make_converted_type(DATE)
        found[sa.Time] = _make_converted_type(TIME)
        return found
    found[sa.DateTime] = _make_datetime_type(dialect.colspecs[sa.DateTime], alias)
    for kind, implementation in dialect.colspecs.items():
        if issubclass(kind, sa.JSON) and issubclass(implementation, sa.JSON):
            found[kind] = _make_json_type(implementation)
    return found


def _make_datetime_type(implementation: Any, alias: str) -> Any:
    """Return the type of a timestamp as Django stores it in the database *alias*.

    SQLite stores no time zone, and without ``USE_TZ`` Django reads none. Then the value is in the
    time zone that Django assumes.
    """

    class Moment(implementation):
        def bind_processor(self, _dialect: Dialect) -> Any:
            def bound(value: Any) -> Any:
                connection = connections[alias]
                if value is None or connection.vendor == "postgresql":
                    return value
                if not settings.USE_TZ and timezone.is_aware(value):
                    value = timezone.make_naive(value, timezone.get_default_timezone())
                return connection.ops.adapt_datetimefield_value(value)

            return bound

        def result_processor(self, _dialect: Dialect, _kind: Any) -> Any:
            def read(value: Any) -> Any:
                if value is None or timezone.is_aware(value):
                    return value
                zone = connections[alias].timezone or timezone.get_default_timezone()
                return value.replace(tzinfo=zone)

            return read

    return Moment


def _make_converted_type(implementation: Any) -> Any:
    """Return a type of SQLite whose values Django's connection has already converted."""

    class Converted(implementation):
        def result_processor(self, dialect: Dialect, kind: Any) -> Any:
            process = super().result_processor(dialect, kind)
            # Django's converters work by declared type. An expression has none, so it is text.
            return lambda value: process(value) if isinstance(value, str) else value

    return Converted


def _make_json_type(implementation: Any) -> Any:
    """Return a JSON type of PostgreSQL. Django makes the driver return documents as text."""

    class Decoded(implementation):
        def result_processor(self, _dialect: Dialect, _kind: Any) -> Any:
            return lambda value: json.loads(value) if isinstance(value, str) else value

    return Decoded
