"""Format what commands print, as text or as JSON, without personal values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from efface.eraser.pending_closings import PendingRun
from efface.errors import Problem
from efface.evidence.database_search import Search
from efface.evidence.receipt import Receipt
from efface.policy.policy import Policy

QUESTION = "Close this account? Deleted values can't be restored."


def to_json_text(data: Any) -> str:
    """Return *data* as indented JSON."""
    return json.dumps(data, indent=2, ensure_ascii=False)


def format_receipt(receipt: Receipt) -> str:
    """Return *receipt* as text, with what was deleted, what is kept and until when."""
    done = "Closed" if receipt.repeats is None else "Erased again"
    lines = [f"{done} · receipt {receipt.reference} · {_moment(receipt)} · {receipt.actor}", ""]
    width = max((len(step.table) for step in receipt.steps), default=0)
    for step in receipt.steps:
        # A retained row may not change at all, so show how many rows are kept.
        number = step.reached if step.until and step.reached is not None else step.rows
        until = f"   until {step.until.isoformat()}: {step.reason}" if step.until else ""
        rows = f"{number:>6} {'row' if number == 1 else 'rows'}"
        lines.append(f"  {step.action:<8} {step.table:<{width}} {rows}{until}")
    if receipt.overridden is not None:
        lines += ["", f"  Overridden: {receipt.overridden}"]
    if receipt.repeats is not None:
        lines += ["", f"  The first receipt: {receipt.repeats}"]
    if receipt.already_closed:
        lines += ["", "  This account was already closed. Nothing was changed."]
    if receipt.search is not None:
        lines += ["", f"  {receipt.search.summary()}"]
    return "\n".join(lines)


def format_closing(receipt: Receipt) -> str:
    """Return one line about a recorded account closure and its state."""
    moment = receipt.closed_at.strftime("%Y-%m-%d %H:%M")
    state = "not finalized"
    if receipt.finalized_at is not None:
        state = "finalized, not searched"
    if receipt.search is not None:
        state = "clean" if receipt.search.is_clean else "identifiers found"
    if receipt.repeats is not None:
        state = f"erased again after {receipt.repeats}, not searched"
    kept = f" · kept until {receipt.kept_until.isoformat()}" if receipt.kept_until else ""
    return f"{moment}  {receipt.reference}  {receipt.actor} · {state}{kept}"


def format_closings(receipts: Sequence[Receipt]) -> str:
    """Return one line for each recorded account closure, and their number."""
    number = "1 account closure." if len(receipts) == 1 else f"{len(receipts)} account closures."
    return "\n".join([*map(format_closing, receipts), number])


def closings_to_json(receipts: Sequence[Receipt]) -> str:
    """Return the recorded receipts as a JSON list."""
    return to_json_text([json.loads(receipt.to_json()) for receipt in receipts])


def format_pending_run(pending_run: PendingRun) -> str:
    """Return one line for each finalized account closure, and the number still pending."""
    number = f"Finalized: {len(pending_run.receipts)}. Still pending: {pending_run.remaining}."
    return "\n".join([*map(format_closing, pending_run.receipts), number])


def format_already_closed(receipt: Receipt) -> str:
    """Return the text in place of a plan, if the account is already closed."""
    return (
        f"This account was closed on {_moment(receipt)}: receipt {receipt.reference}. "
        "Closing it again changes nothing."
    )


def format_search_warning(receipt: Receipt, search: Search) -> str:
    """Return what to do if the *search* after an account closure found an identifier."""
    return (
        f"The account is closed, receipt {receipt.reference}. {found_in(search)} Look "
        "there, because Efface searches for each identifier by itself, and another user may have "
        "the same name. If it is this user's, remove it by hand, add a rule for the next closure, "
        "and then run verify."
    )


def found_in(search: Search) -> str:
    """Return a sentence with the columns in which a *search* found an identifier."""
    columns = dict.fromkeys(f"{found.table}.{found.column}" for found in search.findings)
    return f"An identifier of this user is still in {', '.join(columns)}."


def format_search(search: Search) -> str:
    """Return the result of a search by table, column and rows."""
    lines = [search.summary()]
    lines += [f"  found   {f.table}.{f.column}: {f.rows}" for f in search.findings]
    lines += [f"  kept    {f.table}.{f.column}: {f.rows}" for f in search.kept]
    lines += [f"  reused  {f.table}.{f.column}: {f.rows}" for f in search.reused]
    if search.skipped:
        lines.append(f"  {search.skipped} too short to search for")
    return "\n".join(lines)


def search_to_json(search: Search) -> str:
    """Return the result of a search as JSON."""
    return to_json_text({**asdict(search), "is_clean": search.is_clean})


def format_missing_row(policy: Policy) -> str:
    """Return the text for a search if the user has no row, or no longer has one."""
    table = policy.subject_table.fullname
    return f"No row of {table} has this primary key. Efface searches for the identifiers anyway."


def problems_to_json(problems: Sequence[Problem], errors: int) -> str:
    """Return the problems of a policy as JSON, with the number of *errors*."""
    return to_json_text({"errors": errors, "problems": [asdict(each) for each in problems]})


def format_summary(policy: Policy, errors: int, warnings: int) -> str:
    """Return the number of tables, columns and problems as one line."""
    counts = (_format_count(errors, "error"), _format_count(warnings, "warning"))
    said = " and ".join(each for each in counts if each)
    columns = sum(len(table_rules.table.columns) for table_rules in policy.tables.values())
    return f"{len(policy.tables)} tables, {columns} columns: {said or 'no problems'}."


def _format_count(number: int, word: str) -> str:
    return "" if not number else f"1 {word}" if number == 1 else f"{number} {word}s"


def _moment(receipt: Receipt) -> str:
    return receipt.closed_at.strftime("%Y-%m-%d %H:%M UTC")
