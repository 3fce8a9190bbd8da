"""Find tables, relationships and columns with two rules that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from efface.errors import Problem
from efface.policy.actions import Clear, ColumnAction, Placeholder, Redact, Replace, Unlink
from efface.policy.declarations import ColumnRule
from efface.policy.policy import TableRules

OVERWRITING = (Clear, Unlink, Replace, Placeholder)
"""Actions whose new value does not depend on the old one."""


def conflicting_rules(table_rules: TableRules) -> Iterator[Problem]:
    """Yield a problem for the table, a relationship or a column with two rules."""
    if table_rules.no_personal_data and (table_rules.subjects or table_rules.close_rules):
        text = "This table has no_personal_data() and a rule for personal data. Keep one of them."
        yield Problem("E104", table_rules.name, None, text)
    if table_rules.no_personal_data:
        for name, rules in table_rules.columns.items():
            if any(rule.action is not None for rule in rules):
                text = f"{name} has a rule, and its table has no_personal_data(). Keep one of them."
                yield Problem("E104", table_rules.name, name, text)
    if len(table_rules.no_personal_data) > 1:
        text = "This table has no_personal_data() more than once. Keep one of them."
        yield Problem("E104", table_rules.name, None, text)
    vias = [rule.via for rule in table_rules.close_rules]
    for via in {str(via): via for via in vias if vias.count(via) > 1}.values():
        text = f"The relationship {via} has more than one action. Keep one of them."
        yield Problem("E104", table_rules.name, None, text)
    for name, rules in table_rules.columns.items():
        # One rule for each relationship: a value may be the sender's and the recipient's.
        if len({rule.via for rule in rules}) < len(rules):
            text = f"{name} has {len(rules)} rules. Keep one of them."
            yield Problem("E104", table_rules.name, name, text)
        else:
            yield from _differing_values(table_rules, name, rules)


def _differing_values(
    table_rules: TableRules, name: str, rules: tuple[ColumnRule, ...]
) -> Iterator[Problem]:
    """Yield a column to which the rules of two relationships write different values.

    Actions that edit the old value are compatible with each other and with a new value.
    """
    stays = {rule.via for rule in table_rules.close_rules if isinstance(rule.action, Redact)}
    # Only rules whose rows are redacted write values.
    written = [m for m in rules if m.via in stays and isinstance(m.action, OVERWRITING)]
    if len({_written(rule.action) for rule in written}) > 1:
        first = written[0].action
        text = (
            f"Two relationships give {name} different values. If two users are in one row, the "
            "last closure would decide. Give both relationships the same action:"
        )
        paste = "\n".join(f"personal({first!r}, via={rule.via!r})" for rule in written)
        yield Problem("E104", table_rules.name, name, text, paste)


def _written(action: ColumnAction | None) -> str:
    # Clear and Unlink both write NULL.
    return "NULL" if isinstance(action, (Clear, Unlink)) else repr(action)
