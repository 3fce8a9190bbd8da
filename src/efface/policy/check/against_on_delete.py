"""Find rules that delete rows of which the author of the model said that they stay."""

from __future__ import annotations

from collections.abc import Iterator

from efface.errors import Problem
from efface.policy.actions import Delete
from efface.policy.column_types import column_names
from efface.policy.model_references import is_nullable, on_delete
from efface.policy.policy import TableRules
from efface.policy.relationships import referring_columns, shown

KEEPING = {
    "SET NULL": "the row stays without it",
    "SET DEFAULT": "the row stays with another one",
    "SET": "the row stays with another one",
    "PROTECT": "what it refers to can't be deleted",
    "RESTRICT": "what it refers to can't be deleted",
}
"""What it means for a row that a model says this of its reference."""


def against_on_delete(table_rules: TableRules) -> Iterator[Problem]:
    """Yield a warning for each rule that deletes rows which a model keeps by ``on_delete``."""
    keys = {column_names(key): key for key in table_rules.table.foreign_key_constraints}
    for rule in table_rules.close_rules:
        key = keys.get(referring_columns(rule.via))
        if not isinstance(rule.action, Delete) or key is None:
            continue
        said, names, via = on_delete(key), column_names(key), shown(rule.via)
        if said not in KEEPING or all(table_rules.columns.get(name) for name in names):
            continue
        text = (
            f"The model says {said} of {', '.join(names)}: {KEEPING[said]}. This rule deletes the "
            f"rows instead. If that is meant, mark {' and '.join(names)} with not_personal(). If "
            "not, keep the rows without their values:"
        )
        paste = f"on_close(Redact(), via={via})    # on the table"
        if is_nullable(key) and len(names) == 1:
            paste += "\npersonal(Unlink())    # on the column"
        yield Problem("W109", table_rules.name, names[0], text, paste, level="warning")
