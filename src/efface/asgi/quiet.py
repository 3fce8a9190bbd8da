"""HOST · Report an exception in the log without quoting it."""

from __future__ import annotations

import logging

from efface.page.quiet import describe

logger = logging.getLogger("efface.asgi")


def report(what: str, error: Exception) -> None:
    """Say in the log what failed, and of *error* only what holds no values."""
    logger.error("%s: %s", what, describe(error))
