"""Errors of a command as a message on standard error and an exit status."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from efface.console.exit_status import Status, sentence_of, status_of
from efface.errors import EffaceError

P = ParamSpec("P")
R = TypeVar("R")


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
            complain(sentence_of(error))
            raise typer.Exit(Status.DATABASE) from None

    return reported


def complain(text: str) -> None:
    """Write *text* to standard error, as it is."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(text)
