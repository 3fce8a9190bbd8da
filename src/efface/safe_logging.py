"""Say of an exception what holds no values.

Database errors quote rows and parameters, so their text never reaches a log. The type
and the places in the code hold no values.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from efface.errors import EffaceError


def reporter(name: str) -> Callable[[str, BaseException], None]:
    """Return the way to say in the log *name* what failed, and of why no values."""
    logger = logging.getLogger(name)

    def report(what: str, error: BaseException) -> None:
        logger.error("%s: %s", what, describe(error))

    return report


def describe(error: BaseException) -> str:
    """Return what a log may say about *error*: our own messages, else type and places."""
    if isinstance(error, EffaceError):
        return str(error)
    places = [
        f"\n  {frame.filename}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return type(error).__name__ + "".join(places)
