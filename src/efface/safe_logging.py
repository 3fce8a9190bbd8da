"""Log exceptions without personal values.

Database errors quote rows and parameters, so their text must not be in a log. The exception's type
and its places in the code have no values.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from efface.errors import EffaceError


def reporter(name: str) -> Callable[[str, BaseException], None]:
    """Return a function that logs what failed to the logger *name*, without values."""
    logger = logging.getLogger(name)

    def report(what: str, error: BaseException) -> None:
        logger.error("%s: %s", what, describe(error))

    return report


def describe(error: BaseException) -> str:
    """Return the message of an `EffaceError`, and of any other error the type and the places."""
    # Our own messages never contain values.
    if isinstance(error, EffaceError):
        return str(error)
    places = [
        f"\n  {frame.filename}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return type(error).__name__ + "".join(places)
