"""Run a transaction again if another one was in the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from efface.errors import RetryError

ATTEMPTS = 3
"""How often a transaction of Efface's own is run, if it meets others."""

T = TypeVar("T")


def retried(transaction: Callable[[], T]) -> T:
    """Return what *transaction* returns; it begins and commits a transaction of its own.

    Raises:
        RetryError: others were in the way each time, or it has to wait for them.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return transaction()
        except RetryError as error:
            if not error.is_transient:
                raise
    return transaction()
