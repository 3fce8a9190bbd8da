"""Calculate new values that depend on the old ones, such as text with mentions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Column

from efface.plan.closing_subjects import ClosingSubjects
from efface.plan.cursor import Cursor
from efface.plan.mentions import SearchTerms
from efface.plan.table_statements import TableStatements
from efface.policy.actions import Generalize, Placeholder, ReplaceMentions
from efface.policy.column_types import by_name, is_uuid, python_type
from efface.policy.policy import PersonalColumn


@dataclass(frozen=True, slots=True)
class Edit:
    """One row's new values; ``unfinished`` says whether a static column changes, too.

    The values are personal text, so ``repr`` does not show them.
    """

    key: tuple[Any, ...] = field(repr=False)
    unfinished: bool
    values: tuple[Any, ...] = field(repr=False)

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the UPDATE by key."""
        return {
            **{f"key_{i}": value for i, value in enumerate(self.key)},
            **{f"new_{i}": value for i, value in enumerate(self.values)},
        }


def find_edits(
    cursor: Cursor, table: TableStatements, subjects: ClosingSubjects, *, locked: bool = False
) -> list[Edit]:
    """Return the rows of *table* whose edited columns change; *locked* if they get written."""
    if not table.edited:
        return []
    patterns = _patterns(table, subjects)
    if patterns is None:
        return []
    values = {**subjects.values, **{f"pattern_{i}": p for i, p in enumerate(patterns)}}
    width, names, found = len(table.key), table.edited_names, []
    rules = [(rule, table.target_of(rule).owner_column.name) for rule in table.edited]
    for row in cursor.rows(table.candidates(len(patterns), locked=locked), values):
        key, unfinished = row[:width], bool(row[width])
        owners, old = row[width + 1 : -len(names)], row[-len(names) :]
        new = dict(zip(names, old, strict=True))
        for (rule, column), owner in zip(rules, owners, strict=True):
            search_terms = subjects.search_terms_of(column, owner)
            if search_terms is not None:
                new[rule.name] = _edited(table, rule, search_terms, new[rule.name])
        # The LIKE patterns match too much, so most candidates do not change.
        if tuple(new.values()) != old:
            found.append(Edit(key, unfinished, tuple(new.values())))
    return found


def _patterns(table: TableStatements, subjects: ClosingSubjects) -> list[str] | None:
    """Return the LIKE patterns to bind, or None if there is nothing to search for."""
    if subjects.batch:
        return []
    patterns = list(subjects.only.search_terms.patterns)
    if not patterns:
        # Without search terms there are no mentions, but values to generalize may remain.
        only_mentions = all(isinstance(m.action, ReplaceMentions) for m in table.edited)
        return None if only_mentions else []
    # Padded to a power of two, so that few different statements are compiled.
    return patterns + patterns[-1:] * ((1 << (len(patterns) - 1).bit_length()) - len(patterns))


def _edited(
    table: TableStatements, rule: PersonalColumn, search_terms: SearchTerms, value: Any
) -> Any:
    action = rule.action
    if isinstance(action, ReplaceMentions):
        if value is None:
            return value
        if rule.name in table.documents:
            return search_terms.replaced_in_json(value, action.replacement)
        return search_terms.replaced_in(value, action.replacement)
    if isinstance(action, Generalize):
        return action.coarser(value)
    if isinstance(action, Placeholder) and table.random_source is not None:
        # In the subject's own row, a user may have typed a value that looks like a placeholder.
        is_done = action.matches(value) and not table.is_subject_row
        column = by_name(table.table)[rule.name]
        return value if is_done else _typed(action.value(table.random_source()), column)
    raise TypeError(f"{action.word} is written without reading the value")


def _typed(placeholder: str, column: Column[Any]) -> Any:
    """Return a new *placeholder* in the type of the values of *column*."""
    if not is_uuid(column):
        return placeholder
    # Some models have UUIDs as text.
    found = UUID(placeholder)
    return found if python_type(column) is UUID else str(found)
