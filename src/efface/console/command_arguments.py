"""What is typed, or lies in a file that is named, as values."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from efface.eraser.eraser import ACTOR_LENGTH
from efface.errors import SettingsError
from efface.plan.plan import Plan

FORMATS = ("%Y", "%Y-%m", "%Y-%m-%d")


def is_a_terminal() -> bool:
    """Return whether somebody types what this process reads."""
    # Some supervisors close it, and then there is none.
    stream: TextIO | None = sys.stdin
    return stream is not None and stream.isatty()


def actor_of(text: str) -> str:
    """Return *text* as who has asked for a closing.

    Raises:
        SettingsError: it is too short or too long to be recorded.
    """
    if not 0 < len(text) <= ACTOR_LENGTH:
        raise SettingsError(f"--actor is 1 to {ACTOR_LENGTH} characters long.")
    return text


def plan_in(path: Path | None) -> Plan | None:
    """Return the plan that somebody has read and kept in the file *path*, if one is named.

    Raises:
        SettingsError: the file cannot be opened, or holds something else.
    """
    if path is None:
        return None
    try:
        return Plan.from_json(path.read_text(encoding="utf-8"))
    except OSError:
        raise SettingsError(f"The plan {path} cannot be opened.") from None
    except (KeyError, TypeError, ValueError):
        raise SettingsError(f"{path} is not a plan as efface plan --json prints it.") from None


def identifiers_in(path: Path) -> list[str]:
    """Return the lines of the file *path*, or of standard input where it is ``-``.

    Raises:
        SettingsError: it cannot be read as text, or there are none.
    """
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (AttributeError, OSError, UnicodeDecodeError):
        # The first where standard input is closed.
        raise SettingsError(f"The file {path} cannot be read as text.") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise SettingsError(f"{path} holds no identifiers; write one a line.")
    return lines


def moment_of(text: str) -> datetime:
    """Return the first moment of the year, month or day that *text* names, in UTC.

    Raises:
        SettingsError: it names none.
    """
    for each in FORMATS:
        try:
            return datetime.strptime(text, each).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise SettingsError(f"--since takes a date as 2026, 2026-01 or 2026-01-31, not {text}.")


def require_once(*, once: bool) -> None:
    """Accept ``work`` only with ``--once``: no command stays and repeats the work by itself yet.

    Raises:
        SettingsError: the option is missing.
    """
    if not once:
        raise SettingsError(
            "work does the pending work once and exits, so it needs an option: work --once. "
            "Nothing was changed."
        )
