"""Write the lines to paste of a problem as TOML, for a policy that is in a file."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import time, timedelta
from typing import Any

from efface.errors import Problem, RuleArgumentError
from efface.policy import actions, declarations, relationships
from efface.policy.check.suggested_rules import OR
from efface.policy.declarations import ColumnRule, RuleItem
from efface.policy.toml.reader import DeclaredRules
from efface.policy.toml.writer import policy_to_toml

NAMES: Mapping[str, Any] = {
    **vars(actions),
    **vars(declarations),
    **vars(relationships),
    "time": time,
    "timedelta": timedelta,
}
"""What the lines for models name."""


def problems_as_toml(problems: Iterable[Problem]) -> list[Problem]:
    """Return *problems* with TOML in their lines, where these are rules."""
    return [
        replace(problem, paste="\n".join(_translated(problem))) if problem.paste else problem
        for problem in problems
    ]


def _translated(problem: Problem) -> Iterator[str]:
    for whole in problem.paste.splitlines():
        line = whole.removeprefix(OR)
        code, _, comment = line.partition("    # ")
        # Without a name, the comment says which place of the problem is meant.
        is_named = comment.startswith("on ") and not comment.startswith("on the ")
        column = comment.removeprefix("on ") if is_named else problem.column
        try:
            items = rules_in(code)
            lines = [text for item in items for text in _toml(problem.table, column, item.rule)]
        except (KeyError, SyntaxError, TypeError, ValueError, RuleArgumentError):
            # It is no rule, such as an index, or has a value that only a model can have.
            yield whole
            continue
        first, *others = lines
        is_other = whole != line
        yield f"{OR if is_other else ''}{first}"
        yield from (f"{'# ' if is_other else ''}{text}" for text in others)


def rules_in(code: str) -> list[RuleItem]:
    """Return the rules that a line of Python to paste declares.

    Raises:
        SyntaxError, KeyError, TypeError, ValueError: the line declares something else.
    """
    value = _value(ast.parse(code.removeprefix("__table_args__ = "), mode="eval").body)
    items = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(item, RuleItem) for item in items):
        raise TypeError
    return list(items)


def _value(node: ast.expr) -> Any:
    """Return what a call of rules and actions gives; nothing else is called."""
    match node:
        case ast.Call(func=ast.Name(id=name)):
            call = NAMES[name]
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attribute)):
            call = getattr(NAMES[name], attribute)
        case ast.Tuple():
            return tuple(map(_value, node.elts))
        case _:
            return ast.literal_eval(node)
    named = {each.arg: _value(each.value) for each in node.keywords if each.arg}
    return call(*map(_value, node.args), **named)


def _toml(table: str, column: str | None, rule: Any) -> list[str]:
    if not isinstance(rule, ColumnRule):
        return policy_to_toml({table: DeclaredRules(table=[rule])}).strip().splitlines()
    if column is None:
        raise ValueError
    text = policy_to_toml({table: DeclaredRules(columns={column: [rule]})})
    header, *_, line = text.strip().splitlines()
    return [f"{line}    # in {header}"]
