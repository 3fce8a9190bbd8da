"""What the database refused while a closing ran: where, how, and never in the driver's words.

The driver's text is dropped because it quotes rows; the type of its error and the SQLSTATE stay.
"""

from __future__ import annotations

from efface.errors.root import NOTHING_CHANGED, EffaceError

ROLLED_BACK = "The transaction was rolled back, so nothing was changed."


class StatementError(EffaceError):
    """The database refused a statement; the caller's transaction has been rolled back."""

    code = "E405"
    advice = "The database's own log has the details; run it again when that is mended."

    def __init__(self, table: str, act: str, driver_error: str, sqlstate: str | None) -> None:
        """Keep where it happened and the driver's error type, never its text."""
        super().__init__()
        self.table, self.act = table, act
        self.driver_error, self.sqlstate = driver_error, sqlstate

    def message(self) -> str:
        """Return where the database refused, that all is as before, and what to do."""
        state = f", SQLSTATE {self.sqlstate}" if self.sqlstate else ""
        return (
            f"The database refused to {self.act} {self.table} ({self.driver_error}{state}). "
            f"{ROLLED_BACK} {self.advice}"
        )


class ConstraintError(StatementError):
    """A constraint of the database refused the new value."""

    code = "E407"
    advice = (
        "A unique, foreign key or check constraint of this table does not accept what the policy "
        "writes. Compare them with: efface check --database URL"
    )


class RetryError(StatementError):
    """Another transaction was in the way: a deadlock, a serialization failure, a lock."""

    code = "E408"
    advice = (
        "Another transaction held the rows. Run the whole transaction again, from its beginning: "
        "closing is safe to repeat."
    )


class SchemaMismatchError(StatementError):
    """A table or column of the policy is not in the database."""

    code = "E409"
    advice = (
        "The database does not have a table or column that the policy names. Compare them with: "
        "efface check --database URL"
    )


class ReadOnlyError(StatementError):
    """The transaction may not write."""

    code = "E410"
    advice = "The transaction or the server is read-only. Use a connection that may write."


class ConnectionLostError(StatementError):
    """The database is gone; what it had not committed it has not done."""

    code = "E411"
    advice = "The connection was lost. Connect again and close the account once more."


class RowCountError(StatementError):
    """A statement wrote fewer or more rows than it was meant to."""

    code = "E421"
    advice = (
        "A trigger, a view, row level security or a key that is not unique is in the way. Compare "
        "the models with the database: efface check --database URL"
    )

    def __init__(self, table: str, act: str, written: int, meant: int) -> None:
        """Keep both numbers."""
        super().__init__(table, act, f"{written} rows instead of {meant}", None)
        self.written, self.meant = written, meant

    def message(self) -> str:
        """Return which table it was, the numbers, and what to look for."""
        return (
            f"The database was to {self.act} {self.table} in {_rows(self.meant)} and wrote "
            f"{_rows(self.written)}. {ROLLED_BACK} {self.advice}"
        )


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


class SchemaTranslateMapError(EffaceError):
    """The connection translates schema names, which Efface's statements do not see."""

    code = "E422"

    def message(self) -> str:
        """Return why Efface stops, and how to reach the schema."""
        return (
            "The connection has a schema_translate_map, and Efface's statements would run in the "
            f"schema without it: on the rows of another tenant. {NOTHING_CHANGED} Select the "
            "schema for the transaction, before anything else, on a connection without the map:\n\n"
            '      connection.execute(text("SET LOCAL search_path TO acme"))'
        )


class AutocommitError(EffaceError):
    """The connection commits every statement by itself, so half a closing could stay."""

    code = "E412"

    def message(self) -> str:
        """Return why we stop."""
        return (
            "The connection commits each statement by itself (AUTOCOMMIT), so a failure would "
            f"leave half a closing behind. {NOTHING_CHANGED} Use a transaction:\n\n"
            "      with engine.begin() as connection:\n"
            '          eraser.close_account(connection, subject, actor="...")'
        )


RETRY = frozenset({"40001", "40P01", "55P03", "57014", "SQLITE_BUSY", "SQLITE_LOCKED"})
MISMATCH = frozenset({"42P01", "42703", "3F000"})
READ_ONLY = frozenset({"25006", "SQLITE_READONLY"})
CONFLICT_CLASS = "23"


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
    elif state and (state in RETRY or state.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))):
        kind = RetryError
    elif state in MISMATCH or str(error).startswith(("no such table", "no such column")):
        kind = SchemaMismatchError
    elif state and (state in READ_ONLY or state.startswith("SQLITE_READONLY")):
        kind = ReadOnlyError
    elif is_conflict or (state or "").startswith(CONFLICT_CLASS):
        kind = ConstraintError
    return kind(table, act, type(error).__name__, state)
