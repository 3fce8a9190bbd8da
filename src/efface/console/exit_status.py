"""Map errors to the exit statuses of commands."""

from __future__ import annotations

from enum import IntEnum

from efface.errors import (
    ActorLengthError,
    AutocommitError,
    EffaceError,
    MissingExtraError,
    MissingTablesError,
    SchemaTranslateMapError,
    SettingsError,
    SeveralDatabasesError,
    StatementError,
    SubjectKeyError,
    UnknownSubjectError,
    UnreadableFileError,
    UnsupportedDatabaseError,
    WeakSecretError,
)


class Status(IntEnum):
    """The exit status of a command."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    DATABASE = 3
    EVIDENCE = 4


USAGE: tuple[type[EffaceError], ...] = (
    ActorLengthError,
    MissingExtraError,
    SettingsError,
    SubjectKeyError,
    UnknownSubjectError,
    UnreadableFileError,
    WeakSecretError,
)
DATABASE: tuple[type[EffaceError], ...] = (
    AutocommitError,
    MissingTablesError,
    SchemaTranslateMapError,
    SeveralDatabasesError,
    StatementError,
    UnsupportedDatabaseError,
)


def find_status(error: EffaceError) -> Status:
    """Return the exit status for *error*, by default `REFUSED`."""
    if isinstance(error, USAGE):
        return Status.USAGE
    return Status.DATABASE if isinstance(error, DATABASE) else Status.REFUSED


def describe_database_error(error: Exception) -> str:
    """Return a sentence about an *error* of a database or driver that names only its class.

    The text of such an error can contain statements, values and the database password.
    """
    # SQLAlchemy wraps the error of the driver, whose class is more specific.
    kind = type(getattr(error, "orig", None) or error).__name__
    return f"The database reported an error ({kind}). Find the reason in its own log."
