"""Accounts that were closed earlier: before you used Efface, or by other rules than today's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import literal, select, tuple_

from efface.eraser.call_context import CallContext, Key
from efface.eraser.close_account import find_receipt, reject_identifying
from efface.eraser.compiled_policy import CompiledPolicy
from efface.eraser.finalize import post_commit_pass
from efface.errors import NotClosedError, UnrecordedClosingError
from efface.evidence.receipt import Receipt
from efface.plan.closing_subjects import as_utc, capture, closed_at_by_key
from efface.plan.cursor import Cursor
from efface.plan.dialect_sql import moment_parameter
from efface.plan.plan import Step, summed_steps
from efface.plan.planner import RowCounts, ordered_steps, preview_counts
from efface.policy.actions import ReplaceMentions
from efface.policy.column_types import by_name
from efface.policy.policy import Policy
from efface.policy.relationships import MatchBy

PAGE = 500
"""How many rows to read at a time."""


@dataclass(frozen=True)
class AdoptionPreview:
    """What adopting every account that was soft-deleted before a moment would do.

    Attributes:
        accounts: How many accounts there are.
        steps: What happens to each table, with the most rows that may change.
    """

    accounts: int
    steps: tuple[Step, ...]


def find_closed(
    cursor: Cursor,
    compiled: CompiledPolicy,
    fingerprint: Callable[[Key], str],
    before: datetime,
    after: Key | None,
    *,
    recorded: bool,
) -> list[Key]:
    """Return the next keys after *after* of rows with a ``deleted_at`` before *before*.

    Args:
        cursor: The cursor in the caller's transaction.
        compiled: The policy's statements.
        fingerprint: Returns the fingerprint of a key.
        before: An aware moment.
        after: The last key of the page before, or None for the first page.
        recorded: Whether to return the accounts that Efface closed, or the others.
    """
    statements = compiled.single
    if statements.deleted_at is None:
        return []
    columns = by_name(statements.table)
    target, keys = columns[statements.deleted_at], [columns[n] for n in statements.key_names]
    query = select(*keys, target).where(target < moment_parameter("before", target.type))
    query = query.order_by(*keys).limit(PAGE)
    while True:
        page = query
        if after is not None:
            last = (literal(part, key.type) for part, key in zip(after, keys, strict=True))
            page = query.where(tuple_(*keys) > tuple_(*last))
        rows = cursor.connection.execute(page, {"before": before}).all()
        moments = {tuple(key): as_utc(at) for *key, at in rows}
        known = compiled.closings.recorded(cursor.connection, list(map(fingerprint, moments)))
        found = [
            key
            for key, at in moments.items()
            # SQLite compares moments as text, which may have a fraction or not.
            if at is not None and at < before
            and ((fingerprint(key), at.replace(microsecond=0)) in known) == recorded
        ]  # fmt: skip
        if found or len(rows) < PAGE:
            return found
        after = tuple(rows[-1][:-1])


def preview_adoption(
    cursor: Cursor,
    compiled: CompiledPolicy,
    next_keys: Callable[[Key | None], list[Key]],
    now: datetime,
) -> AdoptionPreview:
    """Return what adopting all accounts does that *next_keys* finds, page by page."""
    accounts, steps, after = 0, tuple[Step, ...](), None
    while keys := next_keys(after):
        after = keys[-1]
        accounts += len(keys)
        # A batch needs keys of one column; with more, it is one account after the other.
        is_batch = len(after) == 1
        statements = compiled.batch if is_batch else compiled.single
        for part in [keys] if is_batch else [[key] for key in keys]:
            values: Any = statements.key_values(part[0])
            if is_batch:
                values = {f"subject_{statements.key_names[0]}": [key[0] for key in part]}
            rows = cursor.rows(statements.find, values)
            subjects = capture(cursor, statements, rows, with_search_terms=False)
            counts = preview_counts(cursor, statements, subjects)
            counts[""] = RowCounts(removed=len(part), redacted=len(part), changed=len(part))
            steps = summed_steps(steps, tuple(ordered_steps(statements, counts, now.date())))
    return AdoptionPreview(accounts, steps)


def erase_again(
    cursor: Cursor, compiled: CompiledPolicy, key: Key, context: CallContext
) -> Receipt:
    """Carry out today's rules for an account that Efface closed, and return a further receipt.

    Raises:
        UnknownSubjectError: no row has this key.
        NotClosedError: the account is open.
        UnrecordedClosingError: ``deleted_at`` is set, but not by Efface.
        ActorIdentifiesUserError: the actor contains an address that the row has again.
    """
    statements = compiled.single
    first = find_receipt(cursor, compiled, key, context.fingerprint)
    rows: Sequence[tuple[Any, ...]] = ()
    if first is not None:
        # In the order of `finalize`: the closing before the user's row.
        compiled.closings.lock(cursor, [first.reference])
        rows = cursor.rows(statements.lock, statements.key_values(key))
    if first is None or first.closed_at not in closed_at_by_key(statements, rows).values():
        found = cursor.rows(statements.find, statements.key_values(key))
        if any(closed_at_by_key(statements, found).values()):
            raise UnrecordedClosingError(statements.table.fullname, statements.deleted_at or "")
        raise NotClosedError(statements.table.fullname)
    has_triggers = compiled.databases.require_rules(cursor.connection)
    subjects, steps = capture(cursor, statements, rows), tuple[Step, ...]()
    reject_identifying(context, subjects)
    # Once more for what triggers have written, as of old rows into a table of history.
    for _ in range(1 + has_triggers):
        done = post_commit_pass(cursor, statements, subjects, rows, first.closed_at)
        steps = summed_steps(steps, done)
    receipt = Receipt(
        reference=context.reference(),
        table=first.table,
        subject=first.subject,
        policy=statements.digest,
        actor=context.actor,
        closed_at=first.closed_at,
        steps=steps,
        # The identifiers are gone, so there is nothing to search for later.
        finalized_at=context.now,
        repeats=first.reference,
    )
    compiled.closings.add(cursor, receipt.record())
    return receipt


def unrepeatable(policy: Policy) -> tuple[str, ...]:
    """Return what needs the identifiers that a closure erases, as ``"table.column"``.

    Mentions in text, and rows that are found by a value of the user's row.
    """
    users = policy.tables[policy.subject_table.fullname]
    changed = {
        f"{users.name}.{name}"
        for name, rules in users.columns.items()
        if any(rule.action is not None for rule in rules)
    }
    found = []
    for name, table_rules in policy.tables.items():
        found += [
            f"{name}.{column}"
            for column, rules in table_rules.columns.items()
            if any(isinstance(rule.action, ReplaceMentions) for rule in rules)
        ]
        vias = (rule.via for rule in table_rules.close_rules)
        found += [
            f"{name}.{via.column}"
            for via in vias
            if isinstance(via, MatchBy) and via.equals in changed
        ]
    return tuple(dict.fromkeys(found))
