"""Convert arguments of a command, or the files that they name, to values."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from efface.eraser.call_context import ACTOR_LENGTH
from efface.errors import SettingsError
from efface.plan.plan import Plan

FORMATS = ("%Y", "%Y-%m", "%Y-%m-%d")


def is_terminal() -> bool:
    """Return whether standard input is a terminal, so a person can confirm."""
    # Some process supervisors close standard input. Then `sys.stdin` is None.
    stream: TextIO | None = sys.stdin
    return stream is not None and stream.isatty()


def read_recorded(option: str, text: str) -> str:
    """Return *text*, which *option* has and a receipt records.

    Raises:
        SettingsError: the text is empty or too long, or has control characters.
    """
    if not 0 < len(text) <= ACTOR_LENGTH or not text.isprintable():
        raise SettingsError(
            f"{option} must be 1 to {ACTOR_LENGTH} characters long. "
            "Write one line without control characters."
        )
    return text


def read_plan(path: Path | None) -> Plan | None:
    """Return the plan in the file *path*, or None if *path* is None.

    Raises:
        SettingsError: the file cannot be opened, or does not contain a plan.
    """
    if path is None:
        return None
    try:
        return Plan.from_json(path.read_text(encoding="utf-8"))
    except OSError:
        raise SettingsError(f"The plan {path} can't be opened.") from None
    except (KeyError, TypeError, ValueError):
        raise SettingsError(f"{path} is not a plan that efface plan --json printed.") from None


def read_identifiers(path: Path) -> list[str]:
    """Return the lines of the file *path*, or of standard input if it is ``-``.

    Raises:
        SettingsError: the file is not text, or contains no identifiers.
    """
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (AttributeError, OSError, UnicodeDecodeError):
        # AttributeError if standard input is closed, because then `sys.stdin` is None.
        raise SettingsError(f"The file {path} can't be read as text.") from None
    # A stray space would make the search miss the identifier.
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise SettingsError(f"{path} has no identifiers. Write one on each line.")
    return lines


def read_date(text: str, option: str = "--since") -> datetime:
    """Return the start of the year, month or day that the *text* of *option* names, in UTC.

    Raises:
        SettingsError: the text is not a date.
    """
    # `date.fromisoformat` does not accept a year or a month alone.
    for each in FORMATS:
        try:
            return datetime.strptime(text, each).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise SettingsError(f"{option} takes a date such as 2026, 2026-01 or 2026-01-31, not {text}.")


def require_once(*, once: bool) -> None:
    """Accept ``work`` only with ``--once``, because no command repeats the work by itself yet.

    Raises:
        SettingsError: the option is missing.
    """
    if not once:
        raise SettingsError(
            "work needs the option --once, because it does the pending work once and exits. "
            "Nothing was changed. Run: work --once"
        )
