"""Decisions as a TOML document for people: the words of the markers, with remarks beside them."""

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
    """Comments for one table: above it, beside its columns, and below it."""

    above: Sequence[str] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    below: Sequence[str] = ()


def policy_to_toml(
    decisions: Mapping[str, DeclaredRules],
    comments: Mapping[str, Comments] | None = None,
    head: Sequence[str] = (),
) -> str:
    """Return *decisions* as TOML.

    Args:
        decisions: What is decided, by table.
        remarks: Comments by table; a table may have comments alone.
        head: Comments at the beginning.

    Raises:
        MissingExtraError: tomlkit is not installed.
        ValueError: a file cannot hold a value of this type.
    """
    kit = _tomlkit()
    blocks = ["\n".join(f"# {line}".rstrip() for line in head)] if head else []
    said = comments or {}
    for name in sorted({**decisions, **said}):
        comments_here = said.get(name, Comments())
        block = [f"# {line}" for line in comments_here.above]
        if (made := decisions.get(name)) is not None:
            whole = kit.document()
            tables = kit.table(is_super_table=True)
            tables.add(name, _table(kit, made, comments_here))
            whole.add("tables", tables)
            block.append(kit.dumps(whole).strip())
        block += [f"# {line}" for line in comments_here.below]
        blocks.append("\n".join(block))
    return "\n\n".join(blocks) + "\n"


def _tomlkit() -> Any:
    try:
        import tomlkit  # noqa: PLC0415  # only writing needs it; the core has one dependency
    except ModuleNotFoundError:
        raise MissingExtraError("Writing a policy file", "cli") from None
    return tomlkit


def _table(kit: Any, made: DeclaredRules, comments_here: Comments) -> Any:
    table = kit.table()
    plain = sorted(
        name for name, rules in made.columns.items() if any(rule.action is None for rule in rules)
    )
    if plain:
        table.add("not_personal", _names(kit, plain, comments_here))
    for rule in made.table:
        if isinstance(rule, NoPersonalDataRule):
            table.add("no_personal_data", _inline(kit, to_data(rule)))
        elif isinstance(rule, SubjectRule):
            table.add("data_subject", _filled(kit, kit.table(), to_data(rule, inlined="action")))
    leaving = [rule for rule in made.table if isinstance(rule, CloseRule)]
    if leaving:
        links = kit.aot()
        for rule in leaving:
            links.append(_filled(kit, kit.table(), to_data(rule, inlined="action")))
        table.add("on_close", links)
    columns = _personal(kit, made, comments_here)
    if columns:
        table.add("personal", columns)
    return table


def _names(kit: Any, plain: Sequence[str], comments_here: Comments) -> Any:
    names = kit.array()
    if not any(name in comments_here.columns for name in plain):
        names.extend(plain)
        return names
    for name in plain:
        names.add_line(name, comment=comments_here.columns.get(name))
    names.add_line(indent="")
    return names


def _personal(kit: Any, made: DeclaredRules, comments_here: Comments) -> Any:
    columns = kit.table()
    for name, rules in sorted(made.columns.items()):
        said = [to_data(rule, inlined="action") for rule in rules if rule.action is not None]
        values = [each["action"] if len(each) == 1 else _inline(kit, each) for each in said]
        if not values:
            continue
        value = kit.item(values[0] if len(values) == 1 else values)
        if name in comments_here.columns:
            value.comment(comments_here.columns[name])
        columns.add(name, value)
    return columns


def _inline(kit: Any, data: Mapping[str, Any]) -> Any:
    return _filled(kit, kit.inline_table(), data)


def _filled(kit: Any, table: Any, data: Mapping[str, Any]) -> Any:
    for key, value in data.items():
        table.add(key, _inline(kit, value) if isinstance(value, Mapping) else value)
    return table
