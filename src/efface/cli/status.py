"""Exit statuses, and the error that each of them stands for."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import wraps
from typing import ParamSpec, TypeVar

import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

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
    WeakKeyError,
)

P = ParamSpec("P")
R = TypeVar("R")


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
    WeakKeyError,
)
DATABASE: tuple[type[EffaceError], ...] = (AutocommitError, MissingTablesError, StatementError)


def status_of(error: EffaceError) -> Status:
    """Return the exit status for *error*: what the policy refuses, unless it is something else."""
    if isinstance(error, USAGE):
        return Status.USAGE
    return Status.DATABASE if isinstance(error, DATABASE) else Status.REFUSED


def reporting(command: Callable[P, R]) -> Callable[P, R]:
    """Return *command* so that errors become a message on standard error and an exit status."""

    @wraps(command)
    def reported(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except EffaceError as error:
            complain(str(error))
            raise typer.Exit(status_of(error)) from None
        except SQLAlchemyError as error:
            # Its text quotes statements, values and sometimes the password of the database.
            kind = type(getattr(error, "orig", None) or error).__name__
            complain(f"The database did not do what was asked ({kind}). Its own log has details.")
            raise typer.Exit(Status.DATABASE) from None

    return reported


def complain(text: str) -> None:
    """Write *text* to standard error, as it is."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(text)
