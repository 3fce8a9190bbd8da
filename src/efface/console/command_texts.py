"""What commands print: text for people, JSON for programs; no personal value in either."""

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

QUESTION = "Close this account? What goes does not come back."


def as_json(data: Any) -> str:
    """Return *data* as JSON that people can read, too."""
    return json.dumps(data, indent=2, ensure_ascii=False)


def receipt_text(receipt: Receipt) -> str:
    """Return *receipt* as text for people: what went, what stayed and until when."""
    lines = [f"Closed · receipt {receipt.reference} · {_moment(receipt)} · {receipt.actor}", ""]
    width = max((len(step.table) for step in receipt.steps), default=0)
    for step in receipt.steps:
        number = step.reached if step.until and step.reached is not None else step.rows
        until = f"   until {step.until.isoformat()}: {step.reason}" if step.until else ""
        rows = f"{number:>6} {'row' if number == 1 else 'rows'}"
        lines.append(f"  {step.action:<8} {step.table:<{width}} {rows}{until}")
    if receipt.already_closed:
        lines += ["", "  This account was closed before; nothing was changed."]
    if receipt.search is not None:
        lines += ["", f"  {receipt.search.summary()}"]
    return "\n".join(lines)


def closing_line(receipt: Receipt) -> str:
    """Return one line about a recorded closing and what became of it."""
    moment = receipt.closed_at.strftime("%Y-%m-%d %H:%M")
    state = "not settled"
    if receipt.finalized_at is not None:
        state = "settled, not searched"
    if receipt.search is not None:
        state = "clean" if receipt.search.is_clean else "something was left"
    kept = f" · kept until {receipt.kept_until.isoformat()}" if receipt.kept_until else ""
    return f"{moment}  {receipt.reference}  {receipt.actor} · {state}{kept}"


def closings_text(receipts: Sequence[Receipt]) -> str:
    """Return a line about each of the recorded closings, and their number."""
    number = "1 closing." if len(receipts) == 1 else f"{len(receipts)} closings."
    return "\n".join([*map(closing_line, receipts), number])


def closings_json(receipts: Sequence[Receipt]) -> str:
    """Return the recorded closings as a list in JSON."""
    return as_json([json.loads(receipt.to_json()) for receipt in receipts])


def pending_run_text(pending_run: PendingRun) -> str:
    """Return a line about each closing that was settled, and how many are due still."""
    number = f"Settled: {len(pending_run.receipts)}. Due still: {pending_run.remaining}."
    return "\n".join([*map(closing_line, pending_run.receipts), number])


def closed_before(receipt: Receipt) -> str:
    """Return what is said in place of a plan, where the account is closed."""
    return (
        f"This account was closed on {_moment(receipt)}: receipt {receipt.reference}. "
        "Closing it again changes nothing."
    )


def still_found(receipt: Receipt, search: Search) -> str:
    """Return what to do where the *search* after a closing has found something."""
    return (
        f"The account is closed, receipt {receipt.reference}. {found_in(search)} Look there: each "
        "identifier is searched for by itself, so it may be somebody else of the same name. What "
        "is the person's, take out by hand, and give it a rule for the next closing; then verify."
    )


def found_in(search: Search) -> str:
    """Return the columns in which a *search* has found something, as a sentence."""
    columns = dict.fromkeys(f"{found.table}.{found.column}" for found in search.findings)
    return f"An identifier of the person still stands in {', '.join(columns)}."


def search_text(search: Search) -> str:
    """Return what a search has found, by table, column and rows."""
    lines = [search.summary()]
    lines += [f"  found   {f.table}.{f.column}: {f.rows}" for f in search.findings]
    lines += [f"  kept    {f.table}.{f.column}: {f.rows}" for f in search.kept]
    if search.skipped:
        lines.append(f"  {search.skipped} too short to be searched for")
    return "\n".join(lines)


def search_json(search: Search) -> str:
    """Return what a search has found as JSON."""
    return as_json({**asdict(search), "is_clean": search.is_clean})


def no_such_row(policy: Policy) -> str:
    """Return what is said of a search for somebody who has no row, or none any more."""
    table = policy.subject_table.fullname
    return f"No row of {table} has this key; the identifiers are searched for all the same."


def problems_json(problems: Sequence[Problem], errors: int) -> str:
    """Return what is undecided or impossible as JSON, and how many of it are *errors*."""
    return as_json({"errors": errors, "problems": [asdict(each) for each in problems]})


def problems_summary(policy: Policy, errors: int, warnings: int) -> str:
    """Return how much is decided, as one line."""
    counts = (_count(errors, "error"), _count(warnings, "warning"))
    said = " and ".join(each for each in counts if each)
    columns = sum(len(table_rules.table.columns) for table_rules in policy.tables.values())
    return f"{len(policy.tables)} tables, {columns} columns: {said or 'everything is decided'}."


def _count(number: int, word: str) -> str:
    return "" if not number else f"1 {word}" if number == 1 else f"{number} {word}s"


def _moment(receipt: Receipt) -> str:
    return receipt.closed_at.strftime("%Y-%m-%d %H:%M UTC")
