"""Django's connection as a SQLAlchemy connection: the same cursor, the same transaction.

SQLAlchemy compiles and converts, Django executes: every statement goes through Django's cursor, so
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

from efface.django.database.error_hints import advise
from efface.eraser.known_databases import UNSEEN
from efface.errors import AtomicBlockError, AutocommitOffError, EffaceError, SettingsError


@contextmanager
def sqlalchemy_connection(alias: str) -> Iterator[sa.Connection]:
    """Give a SQLAlchemy connection inside Django's open transaction on the database *alias*.

    It is a bind for the methods of an `Eraser`, and good for this block and thread only.

    Raises:
        AtomicBlockError: no transaction is open, so each statement would be committed by itself.
        AutocommitOffError: the connection has no autocommit, so no block would commit it.
        TransactionManagementError: the transaction has failed before.
    """
    connection = connections[alias]
    if not connection.in_atomic_block:
        raise AtomicBlockError(alias)
    # Inside of a block the connection never has autocommit; this is what Django remembers of it.
    if not connection.commit_on_exit:
        raise AutocommitOffError(alias)
    connection.validate_no_broken_transaction()
    try:
        with engine(alias).connect() as found:
            yield found
    except EffaceError as error:
        advise(error, alias)
        raise


@cache
def engine(alias: str) -> sa.Engine:
    """Return the engine over Django's connections to the database *alias*; it opens none."""
    connection = connections[alias]
    connection.ensure_connection()
    opening = _Opening(alias)
    made = sa.create_engine(
        _url(connection),
        creator=opening,
        poolclass=NullPool,
        pool_reset_on_return=None,
        execution_options={UNSEEN: unseen},
        **_options(connection),
    )
    made.dialect.colspecs = {**made.dialect.colspecs, **_conversions(made.dialect, alias)}
    made.connect().close()
    opening.is_known = True
    return made


@contextmanager
def unseen(connection: sa.Connection) -> Iterator[None]:
    """Run the queries of the block on the driver's cursor: they are none of the application's."""
    opened: Any = connection.connection.dbapi_connection
    is_seen, opened.is_seen = opened.is_seen, False
    try:
        yield
    finally:
        opened.is_seen = is_seen


def _url(connection: BaseDatabaseWrapper) -> str:
    driver = connection.Database.__name__
    if connection.vendor == "sqlite":
        return "sqlite+pysqlite://"
    if connection.vendor == "postgresql" and driver == "psycopg":
        return "postgresql+psycopg://"
    raise SettingsError(
        f"The database {connection.alias} is {connection.display_name} over {driver}; "
        "Efface runs on PostgreSQL over psycopg 3, and on SQLite."
    )


def _options(connection: BaseDatabaseWrapper) -> dict[str, Any]:
    if connection.vendor == "sqlite":
        # Django turns %s into the question marks that SQLite takes.
        return {"paramstyle": "format"}
    # Looking for the extension would need the driver's own connection.
    return {"use_native_hstore": False}


class _Opening:
    """Gives SQLAlchemy the connection of whichever thread asks: Django keeps one for each."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self.is_known = False

    def __call__(self) -> _Connection:
        # SQLAlchemy asks a database once what it is: none of the application's queries.
        return _Connection(connections[self._alias], is_seen=self.is_known)


class _Connection:
    """What SQLAlchemy takes for the driver's connection: ends of transactions are Django's."""

    def __init__(self, django: BaseDatabaseWrapper, *, is_seen: bool) -> None:
        self._django, self.is_seen = django, is_seen

    def cursor(self, *_: Any, **__: Any) -> Any:
        """Return Django's cursor, or the driver's own where Django is not to see the query."""
        if not self.is_seen:
            return self._django.connection.cursor()
        return _Cursor(self._django.cursor())

    def commit(self) -> None:
        """Leave the transaction as it is."""

    def rollback(self) -> None:
        """Leave the transaction as it is."""

    def close(self) -> None:
        """Leave the connection open."""

    def add_notice_handler(self, handler: Any) -> None:
        """Add none: the connection outlives this one, and notices may quote rows."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._django.connection, name)


class _Cursor:
    """Django's cursor, raising what the driver raised: the engine reads its codes."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, sql: str, parameters: Any = None) -> None:
        """Run *sql*."""
        with _as_the_driver():
            self._cursor.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Sequence[Any]) -> None:
        """Run *sql* once for each of *parameters*."""
        with _as_the_driver():
            self._cursor.executemany(sql, parameters)

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        with _as_the_driver():
            return self._cursor.fetchone()

    def fetchmany(self, size: int) -> Any:
        """Return up to *size* rows."""
        with _as_the_driver():
            return self._cursor.fetchmany(size)

    def fetchall(self) -> Any:
        """Return all rows that are left."""
        with _as_the_driver():
            return self._cursor.fetchall()

    def close(self) -> None:
        """Give the cursor back."""
        self._cursor.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@contextmanager
def _as_the_driver() -> Iterator[None]:
    try:
        yield
    except Error as error:
        if error.__cause__ is None:
            raise
        raise error.__cause__ from None


def _conversions(dialect: Dialect, alias: str) -> dict[type[TypeEngine[Any]], Any]:
    """Return the types that Django's connections store or hand over in a way of their own."""
    found: dict[type[TypeEngine[Any]], Any] = {}
    if dialect.name == "sqlite":
        found[sa.DateTime] = _moment(DATETIME, alias)
        found[sa.Date] = _as_it_comes(DATE)
        found[sa.Time] = _as_it_comes(TIME)
        return found
    found[sa.DateTime] = _moment(dialect.colspecs[sa.DateTime], alias)
    for kind, implementation in dialect.colspecs.items():
        if issubclass(kind, sa.JSON) and issubclass(implementation, sa.JSON):
            found[kind] = _decoded(implementation)
    return found


def _moment(implementation: Any, alias: str) -> Any:
    """Return the type of a moment as Django stores it in the database *alias*.

    SQLite has no time zones, and without ``USE_TZ`` Django reads none: such a value is in the
    zone that Django assumes for it.
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


def _as_it_comes(implementation: Any) -> Any:
    """Return a type of SQLite whose values Django's connection has converted already."""

    class Converted(implementation):
        def result_processor(self, dialect: Dialect, kind: Any) -> Any:
            process = super().result_processor(dialect, kind)
            # An expression has no declared type, and comes as the text it is stored as.
            return lambda value: process(value) if isinstance(value, str) else value

    return Converted


def _decoded(implementation: Any) -> Any:
    """Return a JSON type of PostgreSQL: Django has the driver hand documents over as text."""

    class Decoded(implementation):
        def result_processor(self, _dialect: Dialect, _kind: Any) -> Any:
            return lambda value: json.loads(value) if isinstance(value, str) else value

    return Decoded
