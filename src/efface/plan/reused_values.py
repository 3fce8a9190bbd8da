"""Values of a closed account that another account has since: rows with them are not the user's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from efface.plan.closing_subjects import ClosingSubjects
from efface.plan.cursor import Cursor
from efface.plan.mentions import folded
from efface.plan.policy_statements import PolicyStatements
from efface.policy.column_types import by_name, is_unique


@dataclass(frozen=True, repr=False)
class ReusedValues:
    """Values that other, open accounts have now, folded; ``repr`` does not show them.

    Attributes:
        held: All of them. By such a value, no row is found to be the user's.
        own: Those that only one account can have, such as an email address. Where a search finds
            such a value, it is the other account's; a name can still be of the closed one.
    """

    held: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()


def reused_values(
    cursor: Cursor, statements: PolicyStatements, subjects: ClosingSubjects
) -> ReusedValues:
    """Return the values of *subjects* that other, open accounts have now."""
    matched = (
        value
        for name in statements.reused_columns
        for value in _values(subjects.values[f"match_{name}"])
    )
    terms = (text for subject in subjects.all for text in subject.search_terms.texts)
    return find_reused(cursor, statements, subjects.values, (*matched, *terms))


def find_reused(
    cursor: Cursor, statements: PolicyStatements, subject: Mapping[str, Any], values: Iterable[Any]
) -> ReusedValues:
    """Return which of *values* open accounts have that are not *subject*, the parameters."""
    texts = {value for value in values if isinstance(value, str)}
    names = statements.reused_columns
    if not texts or not names:
        return ReusedValues()
    asked = sorted(texts | {text.lower() for text in texts})
    rows = cursor.rows(statements.find_reused, {**subject, "values": asked})
    columns = by_name(statements.table)
    unique = {name for name in names if is_unique(columns[name])}
    known = {folded(text) for text in texts}
    pairs = [
        (name, folded(value))
        for row in rows
        for name, value in zip(names, row, strict=True)
        if value is not None and folded(value) in known
    ]
    return ReusedValues(
        frozenset(value for _, value in pairs),
        frozenset(value for name, value in pairs if name in unique or "@" in value),
    )


def _values(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else (value,)
