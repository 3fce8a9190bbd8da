"""Name the ways in which users prove their identity before they delete their account.

A name or an email address is no proof, because others can know it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeGuard

_LONGEST_PASSWORD = 1024


class Proof(StrEnum):
    """What the user has to do."""

    PASSWORD = "password"  # noqa: S105  (a word, not a secret)
    RECENT_LOGIN = "recent login"
    LOG_IN_AGAIN = "log in again"


def is_possible(password: object) -> TypeGuard[str]:
    """Tell whether *password* can be a password, before it is hashed."""
    if not isinstance(password, str) or not 0 < len(password) <= _LONGEST_PASSWORD:
        return False
    # A lone surrogate: JSON can contain it, but no encoding can.
    return not any("\ud800" <= character <= "\udfff" for character in password)
