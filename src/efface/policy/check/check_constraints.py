"""Find CHECK constraints that refuse, or may refuse, the values that actions write.

It is an error if the new values of all columns of a constraint are known, and a warning if the
constraint also reads a column whose value stays or is edited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Column

from efface.catalog.metadata import checks_of
from efface.errors import Problem
from efface.policy.actions import Clear, ColumnAction
from efface.policy.check.constraint_sql import (
    MOMENT,
    ConstraintEvaluator,
    candidates,
    columns_in,
    combinations,
    sqlite_text,
    values_after,
)
from efface.policy.column_types import is_json
from efface.policy.policy import TableRules
from efface.policy.relationships import Via

Level = Literal["error", "warning"]
_USE_JSON_NULL = "personal(Replace(None))    # JSON null"
_JSON_NULL = re.compile(r"=\s*'null'|'null'\s*=")


def check_constraints(table_rules: TableRules, evaluator: ConstraintEvaluator) -> Iterator[Problem]:
    """Yield each column whose new value a CHECK constraint refuses, for certain or perhaps."""
    if not table_rules.keeps_rows:
        return
    for constraint in checks_of(table_rules.table):
        if text := sqlite_text(constraint):
            name = "A CHECK constraint"
            if isinstance(constraint.name, str):
                name = f"The CHECK constraint {constraint.name}"
            yield from _Check(table_rules, text, name, evaluator).problems()


@dataclass(frozen=True)
class _Check:
    """One CHECK constraint of a table whose rows stay."""

    table_rules: TableRules
    text: str
    name: str
    evaluator: ConstraintEvaluator

    def problems(self) -> Iterator[Problem]:
        named = columns_in(self.text, self.table_rules.table)
        written = {
            column.name: found
            for column in named
            if (found := _column_action(self.table_rules, column)) is not None
        }
        for column in named:
            action = written.get(column.name, (None, None))[0]
            if isinstance(action, Clear) and is_json(column) and _JSON_NULL.search(self.text):
                text = f"{self.name} requires JSON null in {column.name}, but Clear writes SQL "
                yield self._problem(column.name, f"{text}NULL. Use:", _USE_JSON_NULL)
                return
        known = {
            column.name: values
            for column in named
            if (values := self._values_after(column, written))
        }
        # With rules for several relationships, the new values depend on the row.
        if not known or len({via for _, via in written.values()}) > 1:
            return
        unknown = [column for column in named if column.name not in known]
        changed = next(iter(written), next(iter(known)))
        if unknown and self._may_refuse(known, unknown):
            # Values that are edited, or that stay, can be anything.
            others = ", ".join(column.name for column in unknown)
            text = (
                f"{self.name} reads {others} as well as the new value of {', '.join(known)}: "
                f"{self.text}. The database refuses to close an account if both don't fit "
                f"together. Give {others} a rule whose new value fits, or change the constraint."
            )
            yield self._problem(changed, text, level="warning")
        elif not unknown and not any(self._passes(each) for each in combinations(known)):
            text = (
                f"{self.name} refuses the new value of {', '.join(written or known)}: {self.text}. "
                "Choose a value that it accepts, or change the constraint."
            )
            yield self._problem(changed, text)

    def _may_refuse(self, known: Mapping[str, list[Any]], unknown: list[Column[Any]]) -> bool:
        """Return whether a row can fulfill the constraint before a closure, and not after it."""
        table, before = self.table_rules.table, {}
        for column in columns_in(self.text, table):
            before[column.name] = candidates(column, self.text)
        if self.table_rules.subjects:
            before[self.table_rules.subjects[0].deleted_at] = [None]
        stays = {column.name: before.pop(column.name) for column in unknown}
        for others in combinations(stays):
            if any(self._passes({**others, **each}) for each in combinations(known)):
                continue
            changing = {name: before[name] for name in known}
            if any(self._passes({**others, **each}) for each in combinations(changing)):
                return True
        return False

    def _passes(self, values: Mapping[str, Any]) -> bool:
        return self.evaluator.passes(self.text, values)

    def _values_after(self, column: Column[Any], written: Mapping[str, Any]) -> list[Any]:
        """Return values that *column* may have afterwards, or none if they are unknown."""
        if column.name in written:
            return values_after(column, written[column.name][0])
        subjects = self.table_rules.subjects
        return [MOMENT] if subjects and column.name == subjects[0].deleted_at else []

    def _problem(
        self,
        column: str,
        text: str,
        paste: str = "",
        *,
        level: Literal["error", "warning"] = "error",
    ) -> Problem:
        code = "E103" if level == "error" else "W106"
        return Problem(code, self.table_rules.name, column, text, paste, level)


def _column_action(
    table_rules: TableRules, column: Column[Any]
) -> tuple[ColumnAction, Via | None] | None:
    found = [(m.action, m.via) for m in table_rules.columns[column.name] if m.action is not None]
    # With a rule for each relationship, the new value depends on the row.
    return found[0] if len(found) == 1 else None
