"""Turn errors of a command into a message on standard error and an exit status."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from efface.console.exit_status import Status, describe_database_error, find_status
from efface.errors import EffaceError

P = ParamSpec("P")
R = TypeVar("R")


def report_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Return *command* with errors turned into a message and an exit status."""

    @wraps(command)
    def run_command(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except EffaceError as error:
            print_error(str(error))
            raise typer.Exit(find_status(error)) from None
        except SQLAlchemyError as error:
            # Neither its text nor its traceback, because both can contain values of a row.
            print_error(describe_database_error(error))
            raise typer.Exit(Status.DATABASE) from None

    return run_command


def print_error(text: str) -> None:
    """Write *text* to standard error without markup or line wrapping."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(text)
