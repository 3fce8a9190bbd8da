"""Asking the database about itself, so that a refusal leaves the caller's transaction alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from efface.errors.database_refusals import refused

Answer = TypeVar("Answer")
# The role must not read the catalog, or the database has no such catalog.
_CLOSED = frozenset({"42501", "42P01", "42703", "42883", "0A000", "SQLITE_AUTH"})
_SAVEPOINT = "efface_catalog"


@dataclass(frozen=True)
class Unknown:
    """The database does not say: this role must not read its catalog.

    Attributes:
        driver_error: The name of the driver's error, never its text.
        sqlstate: The SQLSTATE, or the name of SQLite's result code.
    """

    driver_error: str
    sqlstate: str | None


def ask(
    connection: Connection, question: Callable[[Connection], Answer], *, guarded: bool = True
) -> Answer | Unknown:
    """Return the answer to *question*, or that the database does not give one.

    With *guarded*, the caller's transaction stays usable if the role may not read the catalog.

    Raises:
        StatementError: the database refused for another reason than missing permission.
    """
    # On SQLite, and if each statement is committed by itself, a failure ends no transaction.
    if connection.dialect.name == "sqlite" or _commits_each_statement(connection):
        guarded = False
    is_open = False
    try:
        if guarded:
            connection.exec_driver_sql(f"SAVEPOINT {_SAVEPOINT}")
            is_open = True
        answer = question(connection)
        if guarded:
            connection.exec_driver_sql(f"RELEASE SAVEPOINT {_SAVEPOINT}")
    except Exception as error:  # noqa: BLE001  # `_unknown` raises what is not a missing permission
        unknown = _unknown(connection, error)
        if is_open:
            with suppress(DBAPIError):
                connection.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
                connection.exec_driver_sql(f"RELEASE SAVEPOINT {_SAVEPOINT}")
        return unknown
    return answer


def _unknown(connection: Connection, error: Exception) -> Unknown:
    """Return that there is no answer, or raise why; *error* is the driver's or SQLAlchemy's."""
    cause, is_lost = error, False
    if isinstance(error, DBAPIError):
        cause = error.orig if isinstance(error.orig, Exception) else error
        is_lost = error.connection_invalidated
    elif isinstance(error, connection.dialect.loaded_dbapi.Error):
        # Without the connection, a driver cannot tell whether it is lost.
        dbapi: Any = connection.connection.dbapi_connection
        is_lost = connection.dialect.is_disconnect(error, dbapi, None)
        if is_lost:
            # The pool must not hand this connection to anybody again.
            connection.invalidate()
    else:
        raise error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    if state in _CLOSED:
        return Unknown(type(cause).__name__, state)
    # Driver errors quote rows, so their text is dropped.
    raise refused("catalog", "describe", cause, is_lost=is_lost, is_conflict=False) from None


def _commits_each_statement(connection: Connection) -> bool:
    dbapi: Any = connection.connection.dbapi_connection
    try:
        return bool(connection.dialect.detect_autocommit_setting(dbapi))
    except NotImplementedError:
        return False
