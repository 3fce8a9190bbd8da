"""Find rules that name a column the table does not have."""

from __future__ import annotations

from collections.abc import Iterator

from efface.errors import Problem
from efface.policy.did_you_mean import did_you_mean
from efface.policy.policy import TableRules


def unknown_columns(table_rules: TableRules) -> Iterator[Problem]:
    """Yield each name in a rule that is not a column, with the nearest column."""
    named = [(name, "identifiers") for rule in table_rules.subjects for name in rule.identifiers]
    named += [
        (name, "identifiers") for rule in table_rules.close_rules for name in rule.identifiers
    ]
    named += [(name, "not_personal") for name in table_rules.columns]
    known = [column.name for column in table_rules.table.columns]
    for name, where in named:
        if name not in known:
            text = f"{where} names {name}, which is not a column.{did_you_mean(name, known)}"
            yield Problem("E103", table_rules.name, name, text)
