"""Find unique keys whose values two rows would share after closures.

What a closure writes is known: NULL, a fixed value, or a placeholder that no other row has. Keys
of several columns, with a condition or of expressions are compared with that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, Literal

from sqlalchemy import Column, Date, DateTime, Float, Interval, LargeBinary, Numeric, Uuid

from efface.catalog.relation import Index, Part, Relation
from efface.errors import Problem
from efface.policy.actions import Clear, ColumnAction, Placeholder, Redact, Retain, RowAction
from efface.policy.check.constraint_sql import (
    MOMENT,
    UNKNOWN,
    ConstraintEvaluator,
    candidates,
    columns_in,
    combinations,
    values_after,
    without_casts,
)
from efface.policy.check.impossible_actions import why_impossible
from efface.policy.column_types import by_name, unwrapped
from efface.policy.live_tables import LiveTables
from efface.policy.policy import TableRules
from efface.policy.relationships import Via

DISTINCT_TYPES = (Date, DateTime, Float, Interval, LargeBinary, Numeric, Uuid)
"""Types of values that rarely repeat, even if no key says so."""


class After(Enum):
    """What a part of a key is after a closure."""

    STAYS = "stays"
    NULL = "NULL"
    FIXED = "the same value in each row"
    OWN = "another value in each row"
    UNKNOWN = "unknown"


def colliding_keys(tables: LiveTables, evaluator: ConstraintEvaluator) -> Iterator[Problem]:
    """Yield each column whose new value would be, or may be, twice in a unique key."""
    for relation in tables.live.relations:
        rules = tables.rules(relation)
        if rules is None or not rules.keeps_rows or tables.live.find_table(rules.table) != relation:
            continue
        for index in relation.indexes:
            if index.is_unique and index.is_valid:
                for via in dict.fromkeys(_vias(rules)):
                    key = _Key(tables, relation, index, rules, via, evaluator)
                    if (problem := key.problem()) is not None:
                        yield problem
                        break


def _vias(rules: TableRules) -> Iterator[Via | None]:
    """Yield the relationships whose rows stay without their values; None for the user's row."""
    every: list[tuple[RowAction, Via | None]] = [(rule.action, None) for rule in rules.subjects]
    every += [(rule.action, rule.via) for rule in rules.close_rules]
    for action, via in every:
        if isinstance(action.then if isinstance(action, Retain) else action, Redact):
            yield via


@dataclass(frozen=True)
class _Key:
    """A unique key of a table, and the rules for the rows of one relationship."""

    tables: LiveTables
    relation: Relation
    index: Index
    rules: TableRules
    via: Via | None
    evaluator: ConstraintEvaluator

    def problem(self) -> Problem | None:
        """Return the problem, or None if closures leave the key unique."""
        parts = {part: self._after(part) for part in self.index.parts}
        found = set(parts.values())
        if After.OWN in found or (After.NULL in found and self.index.nulls_distinct):
            return None
        condition = self._condition()
        if condition is False or self._has_unique_part(parts):
            return None
        changed = [part for part, after in parts.items() if after is not After.STAYS]
        if not changed and condition is None:
            return None
        is_certain = bool(changed) and After.UNKNOWN not in found and condition is not UNKNOWN
        for part, after in parts.items():
            column = self._column(part)
            if after is After.STAYS and column is not None and not column.foreign_keys:
                is_certain &= not isinstance(unwrapped(column.type), DISTINCT_TYPES)
        return self._describe(changed, "error" if is_certain else "warning")

    # ------------------------------------------------------------ what the parts become

    @cached_property
    def _changes(self) -> Mapping[str, list[Any]]:
        """Return the columns that a closure writes, with values; none for what is unknown."""
        columns = by_name(self.rules.table)
        found: dict[str, list[Any]] = {}
        for name, rules in self.rules.columns.items():
            actions = [r.action for r in rules if r.action and r.via in (None, self.via)]
            if actions and name in columns:
                found[name] = values_after(columns[name], actions[0]) if len(actions) == 1 else []
        if self.rules.subjects:
            found[self.rules.subjects[0].deleted_at] = [MOMENT]
        return found

    def _after(self, part: Part) -> After:
        column = self._column(part)
        if part.column is not None and column is None:
            # A column that the model doesn't have is left as it is.
            return After.STAYS
        text = without_casts(part.expression or "")
        if column is not None:
            generated = self._generated(column)
            if generated is None:
                return self._after_column(column.name)
            text = generated
        names = [each.name for each in columns_in(text, self.rules.table)]
        changing = [name for name in names if name in self._changes]
        if text and not changing:
            return After.STAYS
        if not text or len(changing) < len(names) or not all(map(self._is_known, changing)):
            return After.UNKNOWN
        return _among(self.evaluator.value(text, each) for each in self._states(changing))

    def _after_column(self, name: str) -> After:
        if name not in self._changes:
            return After.STAYS
        if not self._is_known(name):
            return After.UNKNOWN
        return _among(each[name] for each in self._states([name]))

    def _is_known(self, name: str) -> bool:
        # Accounts that are closed together are closed at the same moment.
        is_moment = self.rules.subjects and name == self.rules.subjects[0].deleted_at
        return bool(self._changes[name]) and not is_moment

    def _states(self, names: list[str]) -> list[dict[str, Any]]:
        """Return what two rows have in these columns."""
        return [{n: self._changes[n][row % len(self._changes[n])] for n in names} for row in (0, 1)]

    def _generated(self, column: Column[Any]) -> str | None:
        live = self.relation.column(column.name)
        if live is not None and live.generated is not None:
            return without_casts(live.generated)
        return None

    def _column(self, part: Part) -> Column[Any] | None:
        (name,) = self.tables.spelled(self.rules, [part.column or ""])
        return by_name(self.rules.table).get(name)

    # ------------------------------------------------------------ which rows are compared

    def _condition(self) -> bool | object | None:
        """Return whether a closed row is compared: None for all that were compared before."""
        if self.index.condition is None:
            return None
        text = without_casts(self.index.condition)
        columns = columns_in(text, self.rules.table)
        if not any(column.name in self._changes for column in columns):
            return None
        # NULL stands for values that are not tried: what is false with it is false with all.
        others = {c.name: [*candidates(c, text), None] for c in columns}
        values = {name: self._changes.get(name) or tried for name, tried in others.items()}
        found = [self.evaluator.value(text, each) for each in combinations(values)]
        if UNKNOWN in found:
            return UNKNOWN
        if any(found):
            return True
        is_known = all(self._changes.get(name) for name in values)
        return UNKNOWN if None in found and not is_known else False

    def _has_unique_part(self, parts: Mapping[Part, After]) -> bool:
        """Return whether the parts that stay differ between any two rows."""
        stays = {part.column for part, after in parts.items() if after is After.STAYS}
        for other in self.relation.indexes:
            is_whole = other.is_unique and other.condition is None and other is not self.index
            if is_whole and other.columns and stays.issuperset(other.columns):
                columns = [self.relation.column(name) for name in other.columns]
                if other.is_primary or all(c is not None and not c.nullable for c in columns):
                    return True
        return False

    # ------------------------------------------------------------ what to say

    def _describe(self, changed: list[Part], level: Literal["error", "warning"]) -> Problem:
        key = ", ".join(part.column or str(part.expression) for part in self.index.parts)
        names = [name for part in changed for name in self._written(part)]
        name = next(iter(names), None) or next(iter(self._changes))
        if not changed:
            text = (
                f"The unique key of {key} has the condition {self.index.condition}, which a row "
                "can fulfill only when its account is closed. If another row has the same values "
                "then, the database refuses. Change the key, or the action."
            )
        elif level == "warning":
            text = f"After closures, two rows may have the same values in the unique key of {key}. "
            text += "Then the database refuses to close the account. "
        elif len(self.index.parts) == 1 and self.index.condition is None:
            text = f"{key} is unique, so only one closed account could have this value. "
        else:
            text = f"After closures, two rows would have the same values in the unique key of {key}"
            text += ", and the database refuses that. "
        code, action = ("E103" if level == "error" else "W105"), self._other_action(name, changed)
        if action is None:
            text = text if not changed else f"{text}Use another action, or change the key."
            return Problem(code, self.rules.name, name, text, level=level)
        several = len(self.rules.close_rules) > 1
        shown = f"{type(action).__name__}()"
        paste = f"personal({shown}, via={self.via!r})" if several else f"personal({shown})"
        return Problem(code, self.rules.name, name, f"{text}Use:", paste, level)

    def _written(self, part: Part) -> list[str]:
        """Return the columns of *part* that a closure writes."""
        if part.column is not None:
            column = self._column(part)
            return [] if column is None else [column.name]
        columns = columns_in(part.expression or "", self.rules.table)
        return [column.name for column in columns if column.name in self._changes]

    def _other_action(self, name: str, changed: list[Part]) -> ColumnAction | None:
        """Return an action for a column whose value no other row has, or None."""
        column = by_name(self.rules.table)[name]
        actions: list[ColumnAction] = [Placeholder()] if changed else []
        if name in [part.column for part in changed] and self.index.nulls_distinct:
            actions += [Clear()] if not self.index.is_primary else []
        return next((each for each in actions if why_impossible(column, each) is None), None)


def _among(values: Iterable[Any]) -> After:
    """Return what two rows have, from the value of each."""
    one, other = values
    if UNKNOWN in (one, other):
        return After.UNKNOWN
    if one is None and other is None:
        return After.NULL
    return After.FIXED if one == other else After.OWN
