"""HOST · Report an exception in the log without quoting it.

Database errors quote rows and parameters, so their text never reaches a log. The type
and the places in the code hold no values.
"""

from __future__ import annotations

import logging
import traceback

from efface.errors import EffaceError

logger = logging.getLogger("efface.asgi")


def report(what: str, error: Exception) -> None:
    """Say in the log what failed, and of *error* only what holds no values."""
    logger.error("%s: %s", what, describe(error))


def describe(error: BaseException) -> str:
    """Return what a log may say about *error*: our own messages, else type and places."""
    if isinstance(error, EffaceError):
        return str(error)
    places = [
        f"\n  {frame.filename}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return type(error).__name__ + "".join(places)
