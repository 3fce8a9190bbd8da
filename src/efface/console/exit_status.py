"""Exit statuses, and the error that each of them stands for."""

from __future__ import annotations

from enum import IntEnum

from efface.errors import (
    AutocommitError,
    EffaceError,
    MissingExtraError,
    MissingTablesError,
    SettingsError,
    StatementError,
    SubjectKeyError,
    UnknownSubjectError,
    UnreadableFileError,
    UnsupportedDatabaseError,
    WeakSecretError,
)


class Status(IntEnum):
    """How a command ends."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    DATABASE = 3
    EVIDENCE = 4


USAGE: tuple[type[EffaceError], ...] = (
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
    StatementError,
    UnsupportedDatabaseError,
)


def status_of(error: EffaceError) -> Status:
    """Return the exit status for *error*: what the policy refuses, unless it is something else."""
    if isinstance(error, USAGE):
        return Status.USAGE
    return Status.DATABASE if isinstance(error, DATABASE) else Status.REFUSED


def sentence_of(error: Exception) -> str:
    """Return what is said of an *error* of a database or its driver: its kind alone.

    Its text quotes statements, values and sometimes the password of the database.
    """
    kind = type(getattr(error, "orig", None) or error).__name__
    return f"The database did not do what was asked ({kind}). Its own log has details."
