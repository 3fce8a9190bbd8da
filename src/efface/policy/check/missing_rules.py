"""Find tables and columns that have no rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Integer, Uuid

from efface.errors import Problem
from efface.policy.check.suggested_actions import suggest_column_rule
from efface.policy.check.suggested_rules import suggest_table_rule
from efface.policy.column_types import unwrapped
from efface.policy.policy import Policy, TableRules
from efface.policy.relationships import referring_columns


def missing_rules(policy: Policy, table_rules: TableRules) -> Iterator[Problem]:
    """Yield a problem if the table has no rule, and one for each column without a rule."""
    if not table_rules.has_rules:
        text = "This table has no rule. Does it hold personal data? Add a rule such as:"
        yield Problem("E101", table_rules.name, None, text, suggest_table_rule(policy, table_rules))
    # If no row is redacted, no column changes: rows are deleted or retained as a whole.
    if not table_rules.keeps_rows:
        return
    links = {name for rule in table_rules.close_rules for name in referring_columns(rule.via)}
    for column in table_rules.table.columns:
        if (
            table_rules.columns[column.name]
            or column.name in links
            or needs_no_rule(table_rules, column)
        ):
            continue
        text = f"{column.name} has no rule. Add one of these to the column:"
        paste = "not_personal()"
        if (line := suggest_column_rule(table_rules, column)) is not None:
            paste = f"{line}\n{paste}"
        yield Problem("E101", table_rules.name, column.name, text, paste)


def needs_no_rule(table_rules: TableRules, column: Column[Any]) -> bool:
    """Return whether *column* is a foreign key, a number or UUID as a key, or ``deleted_at``."""
    if table_rules.subjects and column.name == table_rules.subjects[0].deleted_at:
        return True
    if column.foreign_keys:
        return True
    # A number or UUID identifies a row. A key that is text, such as a login, may identify a user.
    return column.primary_key and isinstance(unwrapped(column.type), (Integer, Uuid))
