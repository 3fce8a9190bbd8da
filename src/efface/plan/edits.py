"""Values that have to be read before they can be changed: texts, coarser values, bound tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from efface.plan.driver import Driver
from efface.plan.mentions import Needles
from efface.plan.people import People
from efface.plan.table import TableProgram
from efface.policy.actions import Generalize, Placeholder, ReplaceMentions
from efface.policy.rules import PersonalColumn


@dataclass(frozen=True, slots=True)
class Edit:
    """One row's new values, and whether a static column of the row changes besides.

    The values are texts of people: never in ``repr``.
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


def edits(
    driver: Driver, table: TableProgram, people: People, *, locked: bool = False
) -> list[Edit]:
    """Return the rows of *table* whose edited columns change; *locked* before writing them."""
    if not table.edited:
        return []
    patterns = _patterns(table, people)
    if patterns is None:
        return []
    values = {**people.values, **{f"pattern_{i}": p for i, p in enumerate(patterns)}}
    width, names, found = len(table.key), table.edited_names, []
    marks = [(mark, table.target_of(mark).owner_column.name) for mark in table.edited]
    for row in driver.rows(table.candidates(len(patterns), locked=locked), values):
        key, unfinished = row[:width], bool(row[width])
        owners, old = row[width + 1 : -len(names)], row[-len(names) :]
        new = dict(zip(names, old, strict=True))
        for (mark, column), owner in zip(marks, owners, strict=True):
            needles = people.needles_of(column, owner)
            if needles is not None:
                new[mark.name] = _edited(table, mark, needles, new[mark.name])
        if tuple(new.values()) != old:
            found.append(Edit(key, unfinished, tuple(new.values())))
    return found


def _patterns(table: TableProgram, people: People) -> list[str] | None:
    """Return the patterns to bind; None where there is nothing to look for in this table."""
    if people.many:
        return []
    patterns = list(people.only.needles.patterns)
    if not patterns:
        only_mentions = all(isinstance(m.action, ReplaceMentions) for m in table.edited)
        return None if only_mentions else []
    # Padded to a power of two, so that few statements are compiled.
    return patterns + patterns[-1:] * ((1 << (len(patterns) - 1).bit_length()) - len(patterns))


def _edited(table: TableProgram, mark: PersonalColumn, needles: Needles, value: Any) -> Any:
    action = mark.action
    if isinstance(action, ReplaceMentions):
        if value is None:
            return value
        if mark.name in table.documents:
            return needles.replaced_in_json(value, action.replacement)
        return needles.replaced_in(value, action.replacement)
    if isinstance(action, Generalize):
        return action.coarser(value)
    if isinstance(action, Placeholder) and table.tokens.source is not None:
        is_done = action.made(value) and not table.own
        return value if is_done else action.value(table.tokens.source())
    raise TypeError(f"{action.word} is written without reading the value")
