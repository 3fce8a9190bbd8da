"""What the developers' bar on the home page shows."""

from dataclasses import dataclass
from typing import Any

LONGEST_VALUE = 64


@dataclass(frozen=True)
class Held:
    """What the database holds about one person at this moment."""

    user: dict[str, str]
    rows: dict[str, int]
    is_closed: bool


@dataclass(frozen=True)
class Bar:
    """Who one can log in as, with which password, and what is held."""

    next_member: str | None
    password: str
    held: Held | None


def shown(value: Any) -> str:
    """Return a value as the bar shows it."""
    text = "NULL" if value is None else str(value).removesuffix("+00:00")
    return text if len(text) <= LONGEST_VALUE else f"{text[:12]}…"
