"""What proves that it is the person who wants to leave.

Nothing that others can know proves anything: no typed name, no address, no word.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeGuard

_LONGEST_PASSWORD = 1024


class Proof(StrEnum):
    """What is asked of somebody."""

    PASSWORD = "password"  # noqa: S105  (a word, not a secret)
    RECENT_LOGIN = "recent login"
    LOG_IN_AGAIN = "log in again"


def is_possible(password: object) -> TypeGuard[str]:
    """Tell whether *password* can be one at all, before anybody spends time on it."""
    if not isinstance(password, str) or not 0 < len(password) <= _LONGEST_PASSWORD:
        return False
    # Half of a character: JSON can say it, no encoding can.
    return not any("\ud800" <= character <= "\udfff" for character in password)
