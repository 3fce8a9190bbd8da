"""Print the rules as a Markdown table, for readers who do not read code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from efface.policy.actions import (
    Delete,
    Generalize,
    ReplaceMentions,
    Retain,
    Revoke,
    RowAction,
    Unlink,
)
from efface.policy.policy import Policy, TableRules
from efface.policy.relationships import referring_columns

HEAD = ("Table", "Column", "Action", "Level", "Reason")
LEVELS: Mapping[type, str] = {
    ReplaceMentions: "redacted, not verified",
    Generalize: "generalized",
    Unlink: "unlinked",
}
Line = tuple[str, str, str, str, str]


def format_rules(policy: Policy) -> str:
    """Return a Markdown table with one line for each rule.

    The columns are table, column, action, level (what is true of the value afterwards) and reason.
    A table or column without a rule has a line too.
    """
    lines: list[Line] = [HEAD]
    for table_rules in policy.tables.values():
        lines += _table_lines(table_rules)
    cells = [tuple(text.replace("|", r"\|") for text in line) for line in lines]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEAD))]
    rows = ["| " + " | ".join(t.ljust(w) for t, w in zip(c, widths, strict=True)) + " |"
            for c in cells]  # fmt: skip
    rule_line = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([rows[0], rule_line, *rows[1:]])


def _table_lines(table_rules: TableRules) -> Iterator[Line]:
    name = table_rules.name
    if not table_rules.has_rules:
        yield name, "*", "undecided", "", ""
        return
    for rule in table_rules.no_personal_data:
        yield name, "*", "no_personal_data", "not personal", rule.reason
    for leaving in table_rules.close_rules:
        yield name, "*", leaving.action.word, _level(leaving.action), _reason(leaving.action, str(
            leaving.via))  # fmt: skip
    for subject in table_rules.subjects:
        level = "deleted" if isinstance(subject.action, Delete) else "leaves a tombstone row"
        yield name, "*", subject.action.word, level, "the user's own row"
    if table_rules.keeps_rows:
        yield from _column_lines(table_rules)


def _column_lines(table_rules: TableRules) -> Iterator[Line]:
    # A foreign key that a rule names stays, and then references the tombstone.
    links = {name for rule in table_rules.close_rules for name in referring_columns(rule.via)}
    for column in table_rules.table.columns:
        rules = table_rules.columns[column.name]
        for rule in rules:
            if rule.action is None:
                yield table_rules.name, column.name, "not personal", "unchanged", ""
            else:
                whose = "" if rule.via is None else f"belongs to {rule.via}"
                level = LEVELS.get(type(rule.action), "redacted")
                yield table_rules.name, column.name, rule.action.word, level, whose
        if not rules and column.name in links:
            yield (
                table_rules.name,
                column.name,
                "stays",
                "pseudonymized",
                "refers to the tombstone row",
            )
        elif not rules and column.foreign_keys:
            yield table_rules.name, column.name, "stays", "unchanged", "refers to another row"
        elif (
            not rules and table_rules.subjects and column.name == table_rules.subjects[0].deleted_at
        ):
            yield table_rules.name, column.name, "set", "", "marks a closed account"
        elif not rules and column.primary_key:
            yield table_rules.name, column.name, "stays", "pseudonymized", "the primary key"
        elif not rules:
            yield table_rules.name, column.name, "no rule", "", ""


def _level(action: RowAction) -> str:
    if isinstance(action, Retain):
        return f"kept {action.period}"
    return "deleted" if isinstance(action, (Delete, Revoke)) else "see columns"


def _reason(action: RowAction, via: str) -> str:
    if isinstance(action, Retain):
        return f"{action.basis}: {action.reason}; through {via}"
    return f"through {via}"
