"""Every decision as a Markdown table, for people who do not read code."""

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
from efface.policy.check.decisions import link_columns
from efface.policy.rules import Policy, TableRule

HEAD = ("Table", "Column", "Action", "Level", "Reason")
LEVELS: Mapping[type, str] = {
    ReplaceMentions: "redacted, not verified",
    Generalize: "generalized",
    Unlink: "unlinked",
}
Line = tuple[str, str, str, str, str]


def overview(policy: Policy) -> str:
    """Return table, column, action, level reached and reason, a line for each decision."""
    lines: list[Line] = [HEAD]
    for rule in policy.tables.values():
        lines += _of_table(rule)
    cells = [tuple(text.replace("|", r"\|") for text in line) for line in lines]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEAD))]
    rows = ["| " + " | ".join(t.ljust(w) for t, w in zip(c, widths, strict=True)) + " |"
            for c in cells]  # fmt: skip
    rule_line = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([rows[0], rule_line, *rows[1:]])


def _of_table(rule: TableRule) -> Iterator[Line]:
    name = rule.name
    if not rule.is_decided:
        yield name, "*", "undecided", "", ""
        return
    for mark in rule.unrelated:
        yield name, "*", "unrelated", "not personal", mark.because
    for leaving in rule.leavings:
        yield name, "*", leaving.action.word, _level(leaving.action), _reason(leaving.action, str(
            leaving.via))  # fmt: skip
    for subject in rule.subjects:
        level = "deleted" if isinstance(subject.action, Delete) else "leaves a tombstone"
        yield name, "*", subject.action.word, level, "the person's own row"
    if rule.keeps_rows:
        yield from _of_columns(rule)


def _of_columns(rule: TableRule) -> Iterator[Line]:
    links = {name for mark in rule.leavings for name in link_columns(mark.via)}
    for column in rule.table.columns:
        marks = rule.columns[column.name]
        for mark in marks:
            if mark.action is None:
                yield rule.name, column.name, "not personal", "unchanged", ""
            else:
                whose = "" if mark.via is None else f"belongs to {mark.via}"
                level = LEVELS.get(type(mark.action), "redacted")
                yield rule.name, column.name, mark.action.word, level, whose
        if not marks and column.name in links:
            yield rule.name, column.name, "stays", "pseudonymized", "the link to the tombstone"
        elif not marks and column.foreign_keys:
            yield rule.name, column.name, "stays", "unchanged", "refers to another row"
        elif not marks and rule.subjects and column.name == rule.subjects[0].tombstone:
            yield rule.name, column.name, "set", "", "marks a closed account"
        elif not marks and column.primary_key:
            yield rule.name, column.name, "stays", "pseudonymized", "the key of the row"
        elif not marks:
            yield rule.name, column.name, "undecided", "", ""


def _level(action: RowAction) -> str:
    if isinstance(action, Retain):
        return f"kept {action.period}"
    return "deleted" if isinstance(action, (Delete, Revoke)) else "see columns"


def _reason(action: RowAction, via: str) -> str:
    if isinstance(action, Retain):
        return f"{action.basis}: {action.because}; through {via}"
    return f"through {via}"
