"""Foreign keys as the author of a model meant them: what goes with what, and who wrote a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import ForeignKeyConstraint, Table

from efface.catalog.metadata import ON_DELETE
from efface.policy.column_types import column_names
from efface.policy.policy import TableRules

WRITERS = ("author", "sender", "writer", "creator", "created", "user", "owner", "member", "person")
"""What the column of the user who wrote a row is called, the surest word first."""


def on_delete(key: ForeignKeyConstraint) -> str:
    """Return what a model says of a deleted target, as ``"CASCADE"``; empty if it says nothing.

    What Django does itself, as PROTECT or SET, counts like what the database does.
    """
    said: str = key.info.get(ON_DELETE) or key.ondelete or ""
    # SET NULL may name columns: SET NULL (a, b).
    return " ".join(said.upper().partition("(")[0].replace("_", " ").split())


def is_nullable(key: ForeignKeyConstraint) -> bool:
    """Return whether a row can refer to nothing by *key*."""
    return any(column.nullable for column in key.columns)


def goes_along(key: ForeignKeyConstraint) -> bool:
    """Return whether each row is a part of the one that it refers to, and is deleted with it."""
    return on_delete(key) == "CASCADE" and not is_nullable(key)


def is_target(tables: Mapping[str, TableRules], table: Table) -> bool:
    """Return whether rows of any of *tables*, which have their names, refer to rows of *table*."""
    keys = (key for each in tables.values() for key in each.table.foreign_key_constraints)
    return any(key.referred_table is table for key in keys)


def writers_first(keys: Iterable[ForeignKeyConstraint]) -> list[ForeignKeyConstraint]:
    """Return *keys* with the writer of a row before a user who approved, edited or received it."""
    return sorted(keys, key=lambda key: (_rank(column_names(key)[0]), column_names(key)))


def _rank(name: str) -> int:
    words = name.lower()
    return next((n for n, word in enumerate(WRITERS) if word in words), len(WRITERS))
