"""Write rules as TOML to read and edit, with comments around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from efface.errors import MissingExtraError
from efface.policy.declarations import CloseRule, NoPersonalDataRule, SubjectRule
from efface.policy.toml.reader import DeclaredRules
from efface.policy.toml.values import to_data


@dataclass
class Comments:
    """Comments for one table: above it, next to its columns, and below it."""

    above: Sequence[str] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    below: Sequence[str] = ()


def policy_to_toml(
    declared: Mapping[str, DeclaredRules],
    comments: Mapping[str, Comments] | None = None,
    head: Sequence[str] = (),
) -> str:
    """Return *declared* as TOML.

    Args:
        declared: The rules by table.
        comments: Comments by table; a table may have comments and no rules.
        head: Comments at the beginning.

    Raises:
        MissingExtraError: tomlkit is not installed.
        RuleArgumentError: TOML has no form for a value's type.
    """
    kit = _tomlkit()
    blocks = ["\n".join(f"# {line}".rstrip() for line in head)] if head else []
    comments = comments or {}
    for name in sorted({**declared, **comments}):
        table_comments = comments.get(name, Comments())
        block = [f"# {line}" for line in table_comments.above]
        if (rules := declared.get(name)) is not None:
            whole = kit.document()
            tables = kit.table(is_super_table=True)
            tables.add(name, _table(kit, rules, table_comments))
            whole.add("tables", tables)
            block.append(kit.dumps(whole).strip())
        block += [f"# {line}" for line in table_comments.below]
        blocks.append("\n".join(block))
    return "\n\n".join(blocks) + "\n"


def _tomlkit() -> Any:
    try:
        import tomlkit  # noqa: PLC0415  # only writing needs it; the core has one dependency
    except ModuleNotFoundError:
        raise MissingExtraError("Writing a policy file", "cli") from None
    return tomlkit


def _table(kit: Any, declared: DeclaredRules, table_comments: Comments) -> Any:
    table = kit.table()
    # In one list at the top, because columns without personal data are usually the most.
    plain = sorted(
        name
        for name, rules in declared.columns.items()
        if any(rule.action is None for rule in rules)
    )
    if plain:
        table.add("not_personal", _names(kit, plain, table_comments))
    for rule in declared.table:
        if isinstance(rule, NoPersonalDataRule):
            table.add("no_personal_data", _inline(kit, to_data(rule)))
        elif isinstance(rule, SubjectRule):
            table.add("data_subject", _filled(kit, kit.table(), to_data(rule, inlined="action")))
    close_rules = [rule for rule in declared.table if isinstance(rule, CloseRule)]
    if close_rules:
        entries = kit.aot()
        for rule in close_rules:
            entries.append(_filled(kit, kit.table(), to_data(rule, inlined="action")))
        table.add("on_close", entries)
    columns = _personal(kit, declared, table_comments)
    if columns:
        table.add("personal", columns)
    return table


def _names(kit: Any, plain: Sequence[str], table_comments: Comments) -> Any:
    names = kit.array()
    if not any(name in table_comments.columns for name in plain):
        names.extend(plain)
        return names
    for name in plain:
        names.add_line(name, comment=table_comments.columns.get(name))
    names.add_line(indent="")
    return names


def _personal(kit: Any, declared: DeclaredRules, table_comments: Comments) -> Any:
    columns = kit.table()
    for name, rules in sorted(declared.columns.items()):
        data = [to_data(rule, inlined="action") for rule in rules if rule.action is not None]
        values = [each["action"] if len(each) == 1 else _inline(kit, each) for each in data]
        if not values:
            continue
        value = kit.item(values[0] if len(values) == 1 else values)
        if name in table_comments.columns:
            value.comment(table_comments.columns[name])
        columns.add(name, value)
    return columns


def _inline(kit: Any, data: Mapping[str, Any]) -> Any:
    return _filled(kit, kit.inline_table(), data)


def _filled(kit: Any, table: Any, data: Mapping[str, Any]) -> Any:
    for key, value in data.items():
        table.add(key, _inline(kit, value) if isinstance(value, Mapping) else value)
    return table
