"""What the database refused while a closure ran: where, why, and never in the driver's words.

The driver's text is dropped because it quotes rows. The type of its error, the SQLSTATE and the
names of constraints stay, because they are schema.
"""

from __future__ import annotations

import re
from typing import Any

from efface.errors.root import NOTHING_CHANGED, EffaceError

ROLLED_BACK = "The transaction was rolled back, so nothing was changed."
AGAIN = "Run the whole transaction again, from its beginning: closing an account is safe to repeat."


class StatementError(EffaceError):
    """The database refused a statement; the caller's transaction has been rolled back."""

    code = "E405"
    cause = ""
    ends_transaction = True
    advice = "Find the reason in the database's own log, fix it, and run the transaction again."

    def __init__(self, table: str, act: str, driver_error: str, sqlstate: str | None) -> None:
        """Keep where it happened and the driver's error type, never its text."""
        super().__init__()
        self.table, self.act = table, act
        self.driver_error, self.sqlstate = driver_error, sqlstate

    def message(self) -> str:
        """Return what the database refused and why, that nothing was changed, and what to do."""
        state = f", SQLSTATE {self.sqlstate}" if self.sqlstate else ""
        return (
            f"The database refused to {self.act} {self.table}{self.cause} "
            f"({self.driver_error}{state}). {ROLLED_BACK} {self.advice}"
        )


class ConstraintError(StatementError):
    """A constraint of the database refused the new value, or the deletion of a row."""

    code = "E407"
    advice = "Compare the policy with the database: efface check --database URL"

    def __init__(
        self,
        table: str,
        act: str,
        driver_error: str,
        sqlstate: str | None,
        constraint: str | None = None,
    ) -> None:
        """Keep the *constraint* and its table, or None if the driver doesn't tell."""
        super().__init__(table, act, driver_error, sqlstate)
        self.constraint = constraint
        named = f"the constraint {constraint}" if constraint else "a constraint"
        self.cause = f", because {named} doesn't allow it"


class RetryError(StatementError):
    """Another transaction was in the way, or the statement was canceled; try again."""

    code = "E408"
    advice = AGAIN

    def __init__(self, table: str, act: str, driver_error: str, sqlstate: str | None) -> None:
        """Derive the cause from *sqlstate*."""
        super().__init__(table, act, driver_error, sqlstate)
        name = "SQLITE" if (sqlstate or "").startswith("SQLITE") else sqlstate or ""
        self.cause = f", because {CAUSES.get(name, 'another transaction was in the way')}"
        if sqlstate == CANCELED:
            self.advice = (
                f"{AGAIN} If it is canceled again, allow this transaction more time: "
                "SET LOCAL statement_timeout = '60s'"
            )

    @property
    def is_transient(self) -> bool:
        """Return whether the same transaction can succeed at once, as after a deadlock."""
        return self.sqlstate in ("40001", "40P01", "SQLITE_BUSY_SNAPSHOT")


class SchemaMismatchError(StatementError):
    """A table or column of the policy is not in the database."""

    code = "E409"
    cause = ", because the database does not have a table or column that the policy names"
    advice = "Compare the policy with the database: efface check --database URL"

    @classmethod
    def of_catalog(cls, table: str) -> SchemaMismatchError:
        """Return the error for a *table* that the catalog lacks, before any statement failed."""
        error = cls(table, "find", "catalog", None)
        error.ends_transaction = False
        return error

    def message(self) -> str:
        """Return what is missing, and whether a statement failed because of it."""
        if self.ends_transaction:
            return super().message()
        return (
            f"The database has no table {self.table} for this connection, but the policy names it. "
            f"{NOTHING_CHANGED} {self.advice}"
        )


class ReadOnlyError(StatementError):
    """The transaction may not write."""

    code = "E410"
    cause = ", because the transaction or the server is read-only"
    advice = "Use a connection that may write."


class ConnectionLostError(StatementError):
    """The connection broke before the commit, so the database has changed nothing."""

    code = "E411"
    cause = ", because the connection was lost"
    advice = "Connect again, and close the account again."


class RowCountError(StatementError):
    """A statement wrote fewer or more rows than Efface meant to write."""

    code = "E421"
    advice = (
        "Look for a trigger, a view, row level security or a key that is not unique, and compare "
        "the models with the database: efface check --database URL"
    )

    def __init__(self, table: str, act: str, written: int, meant: int) -> None:
        """Keep both numbers."""
        super().__init__(table, act, f"{written} rows instead of {meant}", None)
        self.written, self.meant = written, meant

    def message(self) -> str:
        """Return the table, both numbers, and what to look for."""
        return (
            f"Efface meant to {self.act} {self.table} in {_rows(self.meant)}, but the database "
            f"wrote {_rows(self.written)}. {ROLLED_BACK} {self.advice}"
        )


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


class SchemaTranslateMapError(EffaceError):
    """The connection has a ``schema_translate_map``, which Efface's statements don't use."""

    code = "E422"

    def message(self) -> str:
        """Return why Efface stops, and how to reach the schema."""
        return (
            "The connection has a schema_translate_map, which Efface's statements don't use, so "
            f"they could change the rows of another tenant. {NOTHING_CHANGED} Use a connection "
            "without the map, and first select the schema for the transaction:\n\n"
            '      connection.execute(text("SET LOCAL search_path TO acme"))'
        )


class SeveralDatabasesError(EffaceError):
    """The session has the tables of the policy in several databases, or shards."""

    code = "E423"

    def __init__(self, users: str, table: str | None = None) -> None:
        """Keep the *users*' table and one that is elsewhere; None if it depends on the row."""
        super().__init__()
        self.users, self.table = users, table

    def message(self) -> str:
        """Return what is elsewhere, and what to pass."""
        if self.table is None:
            return (
                "The session chooses a database for each row, and Efface closes an account in the "
                f"transaction of one database. {NOTHING_CHANGED} Pass the connection to the "
                "database of this user:\n\n"
                '      session.connection(bind_arguments={"shard_id": "..."})'
            )
        return (
            f"The session has {self.table} in another database than {self.users}, and Efface "
            f"closes an account in the transaction of one database. {NOTHING_CHANGED} Make the "
            f"policy from a MetaData with the tables of the database that has {self.users}. Give "
            "the tables of other databases no on_close(), and erase their rows yourself."
        )


class AutocommitError(EffaceError):
    """The connection commits each statement by itself, so half a closure could remain."""

    code = "E412"

    def message(self) -> str:
        """Return why Efface stops, and the block to write."""
        return (
            "The connection commits each statement by itself (AUTOCOMMIT), so a failure would "
            f"leave the account half closed. {NOTHING_CHANGED} Use a transaction:\n\n"
            "      with engine.begin() as connection:\n"
            '          eraser.close_account(connection, pk, actor="...")'
        )


CANCELED = "57014"
CAUSES = {
    "40001": "a transaction that ran at the same time changed the same rows",
    "40P01": "this transaction and another one waited for each other (a deadlock)",
    "55P03": "another transaction has locked the rows",
    CANCELED: "the statement was canceled, by statement_timeout or by an administrator",
    "SQLITE": "another connection has locked the database",
}
"""Why a statement may be tried again, by SQLSTATE."""
RETRY = frozenset({*CAUSES} - {"SQLITE"})
MISMATCH = frozenset({"42P01", "42703", "3F000"})
FORBIDDEN = "42501"
READ_ONLY = frozenset({"25006", "SQLITE_READONLY"})
CONFLICT_CLASS = "23"
NOT_NULL = "23502"
UNIQUE = frozenset({"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})
_COLUMNS = re.compile(r"UNIQUE constraint failed: (\w+\.\w+(?:, \w+\.\w+)*)")


def refused(
    table: str, act: str, error: Exception, *, is_lost: bool, is_conflict: bool
) -> StatementError:
    """Return the error to raise in place of the driver's *error*.

    PostgreSQL names what happened by SQLSTATE, SQLite by the name of its result code; a missing
    table or column has no code of its own in SQLite, only words.
    """
    state = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
    kind: type[StatementError] = StatementError
    if is_lost:
        kind = ConnectionLostError
    elif state == FORBIDDEN:
        return _forbidden(table, act, error)
    elif state and (state in RETRY or state.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))):
        kind = RetryError
    elif state in MISMATCH or str(error).startswith(("no such table", "no such column")):
        kind = SchemaMismatchError
    elif state and (state in READ_ONLY or state.startswith("SQLITE_READONLY")):
        kind = ReadOnlyError
    elif is_conflict or (state or "").startswith(CONFLICT_CLASS):
        return ConstraintError(table, act, type(error).__name__, state, _constraint(error, state))
    return kind(table, act, type(error).__name__, state)


def _forbidden(table: str, act: str, error: Exception) -> StatementError:
    found = StatementError(table, act, type(error).__name__, FORBIDDEN)
    found.cause = ", because this role lacks a permission"
    found.advice = "Use a role that may read and write each table of the policy."
    return found


def _constraint(error: Exception, state: str | None) -> str | None:
    """Return the constraint and its table as the driver names them, never its text about rows."""
    diagnosis: Any = getattr(error, "diag", None)
    if diagnosis is not None:
        table = diagnosis.table_name
        if diagnosis.constraint_name:
            return f"{diagnosis.constraint_name} of {table}" if table else diagnosis.constraint_name
        is_null = state == NOT_NULL and diagnosis.column_name
        return f"NOT NULL ({table}.{diagnosis.column_name})" if is_null else None
    # A trigger can raise any text, so the code decides whether SQLite itself wrote this one.
    found = _COLUMNS.fullmatch(str(error)) if state in UNIQUE else None
    return f"UNIQUE ({found[1]})" if found else None
