"""Check the arguments of rules when they are written, and name the line to write instead.

Without this, ``on_close(Delete, ...)`` or ``identifiers="email"`` would count as a rule, and no
step would carry it out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from efface.errors import RuleArgumentError
from efface.policy import actions
from efface.policy.relationships import Generic, MatchBy, OwnedBy

WRITTEN = {
    actions.Delete: "Delete()",
    actions.Redact: "Redact()",
    actions.Revoke: "Revoke()",
    actions.Retain: 'Retain("P10Y", Basis.LEGAL_OBLIGATION, reason="tax law")',
    actions.Clear: "Clear()",
    actions.Replace: 'Replace("...")',
    actions.Placeholder: "Placeholder()",
    actions.ReplaceMentions: 'ReplaceMentions("a former user")',
    actions.Unlink: "Unlink()",
    actions.Generalize: 'Generalize("year")',
}
"""How each action is written."""
ROW_ACTIONS = (actions.Delete, actions.Redact, actions.Retain, actions.Revoke)
COLUMN_ACTIONS = tuple(kind for kind in WRITTEN if kind not in ROW_ACTIONS)


def require_row_action(call: str, action: Any, allowed: tuple[type, ...] = ROW_ACTIONS) -> None:
    """Refuse an *action* that *call*, a rule for rows, cannot take.

    Raises:
        RuleArgumentError: it is a class, an action for columns, or no action.
    """
    via = ', via="..."' if call == "on_close" else ""
    _require(call, action, allowed, lambda line: f"{call}({line}{via})")


def require_column_action(action: Any) -> None:
    """Refuse an *action* that ``personal()`` cannot take.

    Raises:
        RuleArgumentError: it is a class, an action for rows, or no action.
    """
    _require("personal", action, COLUMN_ACTIONS, lambda line: f"personal({line})")


def require_names(call: str, argument: str, names: Any) -> tuple[str, ...]:
    """Return *names* as a tuple.

    Raises:
        RuleArgumentError: it is one text, whose characters would be the names, or has other values.
    """
    if isinstance(names, str):
        fault, shown = "is one text", names
    elif not isinstance(names, Iterable):
        fault, shown = f"is {_described(names)}", "email"
    else:
        found = tuple(names)
        if all(isinstance(name, str) for name in found):
            return found
        fault, shown = "has values that are no column names", "email"
    raise RuleArgumentError(
        f"{argument} must be a list of column names, and it {fault}. "
        f'Write: {call}(..., {argument}=["{shown}"])'
    )


def require_via(via: Any) -> None:
    """Refuse a *via* that names no relationship.

    Raises:
        RuleArgumentError: it is neither a text, a tuple of texts nor a relationship.
    """
    if isinstance(via, tuple):
        fits = bool(via) and all(isinstance(name, str) for name in via)
    else:
        fits = isinstance(via, (str, MatchBy, OwnedBy, Generic)) and via != ""
    if not fits:
        raise RuleArgumentError(
            f"via is {_described(via)}, and must name the column that references the user, a tuple "
            'of columns, or a MatchBy, OwnedBy or Generic. Write: on_close(..., via="user_id")'
        )


def _require(call: str, action: Any, allowed: tuple[type, ...], line: Any) -> None:
    if isinstance(action, allowed):
        return
    kind = action if isinstance(action, type) else type(action)
    if kind in allowed:
        fault, fixed = f"{kind.__name__} is a class, and {call} takes an action", kind
    elif kind in WRITTEN and kind in ROW_ACTIONS:
        fixed = kind
        fault = f"{kind.__name__} is an action for rows, and {call} does not take it"
        if call == "personal":
            raise RuleArgumentError(
                f'{fault}. Write: on_close({WRITTEN[kind]}, via="...") in the rules of the table.'
            )
        fixed = allowed[0]
    elif kind in WRITTEN:
        raise RuleArgumentError(
            f"{kind.__name__} is an action for columns, and {call} takes one for rows. "
            f"Write: personal({WRITTEN[kind]}) in the column."
        )
    else:
        fault, fixed = f"{call} takes an action, not {_described(action)}", allowed[0]
    raise RuleArgumentError(f"{fault}. Write: {line(WRITTEN[fixed])}")


def _described(value: Any) -> str:
    """Return what *value* is, without repeating it."""
    return "None" if value is None else f"a value of the type {type(value).__name__}"
