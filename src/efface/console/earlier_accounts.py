"""Adopt accounts, or erase them again, one after the other; what the commands print of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from efface.console.command_arguments import read_date
from efface.console.command_texts import to_json_text
from efface.eraser.closed_earlier import AdoptionPreview
from efface.errors import ConnectionLostError, EffaceError, SettingsError
from efface.evidence.receipt import Receipt

QUESTION = "Erase these accounts? Deleted values can't be restored."


@dataclass(frozen=True)
class EarlierRun:
    """The result of one run over accounts that were closed earlier.

    Attributes:
        accounts: How many accounts were erased.
        rows: How many rows changed.
        failures: The accounts that were not, each as it is named on a terminal, and why.
        unclean: The references of receipts whose search still found an identifier.
    """

    accounts: int = 0
    rows: int = 0
    failures: tuple[tuple[str, EffaceError], ...] = ()
    unclean: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the result as JSON."""
        failed = [{"account": name, "error": error.code} for name, error in self.failures]
        return to_json_text(
            {
                "accounts": self.accounts,
                "rows": self.rows,
                "failed": failed,
                "identifiers_found": list(self.unclean),
            }
        )


def erase_one_by_one(
    next_keys: Callable[[Any], Sequence[Any]], erase: Callable[[Any], Receipt]
) -> Iterator[EarlierRun]:
    """Yield the sums so far after each account. One that fails stays as it is.

    Args:
        next_keys: Returns the primary keys after one of them, or the first ones after None.
        erase: Erases one account in transactions of its own, and returns its receipt.

    Raises:
        ConnectionLostError: the connection to the database was lost.
    """
    run, after, number = EarlierRun(), None, 0
    while keys := next_keys(after):
        for key in keys:
            after, number = key, number + 1
            try:
                receipt = erase(key)
            except ConnectionLostError:
                raise
            except EffaceError as error:
                failures = (*run.failures, (_name(key, number), error))
                run = EarlierRun(run.accounts, run.rows, failures, run.unclean)
            else:
                found = receipt.search is not None and not receipt.search.is_clean
                unclean = (*run.unclean, receipt.reference) if found else run.unclean
                run = EarlierRun(run.accounts + 1, run.rows + receipt.rows, run.failures, unclean)
            yield run


def _name(key: Any, number: int) -> str:
    """Return what an account is called on a terminal: a key of text may be a name."""
    parts = key if isinstance(key, tuple) else (key,)
    if all(isinstance(part, (int, UUID)) for part in parts):
        return f"account {', '.join(map(str, parts))}"
    return f"account number {number} of this run"


def read_before(text: str, now: datetime | None = None) -> datetime:
    """Return the moment that ``--before`` names, in UTC.

    Raises:
        SettingsError: the text is not a date, or the date is in the future.
    """
    before = read_date(text, "--before")
    if before > (now or datetime.now(UTC)):
        raise SettingsError(f"--before takes a date in the past, in UTC, not {text}.")
    return before


def require_answer(*, yes: bool, is_terminal: bool) -> None:
    """Refuse to erase accounts without a confirmation.

    Raises:
        SettingsError: there is no ``--yes``, and no terminal to ask on.
    """
    if not yes and not is_terminal:
        raise SettingsError(
            "Without a terminal, the command can't ask you. Nothing was changed. First read what "
            "would be erased. Then run the same command with --yes."
        )


def format_preview(preview: AdoptionPreview, before: datetime) -> str:
    """Return what adopting would do, and what ``deleted_at`` may mean instead."""
    day = before.strftime("%Y-%m-%d %H:%M UTC")
    if not preview.accounts:
        return f"No account was soft-deleted before {day} without Efface."
    width = max(len(step.table) for step in preview.steps)
    lines = [
        f"{_accounts(preview.accounts)} deleted_at before {day}, and Efface did not close them.",
        "Adopting erases them by your rules, and keeps the date. At most, these rows change:",
        "",
        *(f"  {step.action:<8} {step.table:<{width}} {step.rows:>8}" for step in preview.steps),
        "",
        "In some applications, deleted_at means suspended. Make sure that it means deleted here.",
    ]
    return "\n".join(lines)


def format_run(run: EarlierRun, unrepeatable: Sequence[str] | None = None) -> str:
    """Return the sums of a run; with *unrepeatable*, of one that erased accounts again."""
    word = "Adopted" if unrepeatable is None else "Erased again"
    lines = [f"{word}: {run.accounts}. Rows changed: {run.rows}. Failed: {len(run.failures)}."]
    if unrepeatable is not None:
        lines.append(format_unrepeatable(unrepeatable))
    if run.unclean:
        lines.append(f"An identifier was still found: receipt {', '.join(run.unclean)}.")
    return "\n".join(lines)


def format_unrepeatable(unrepeatable: Sequence[str]) -> str:
    """Return what was not looked for, because the identifiers are gone."""
    text = "Not searched: the identifiers of these users are gone."
    if unrepeatable:
        text += f" So Efface could not look for them in {', '.join(unrepeatable)}."
    return text


def _accounts(number: int) -> str:
    return "1 account has" if number == 1 else f"{number} accounts have"
