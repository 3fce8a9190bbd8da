"""Relationships: how a row of another table is found to be the subject's, and knows no SQL."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MatchBy:
    """A link by value: rows whose *column* equals a column of a decided table.

    ``equals`` is ``"table.column"``. The value must be unique among the people, or ``shared=True``
    says that a value several people share may take rows of all of them. NULL, blank and
    placeholder values match nothing.
    """

    column: str
    equals: str
    shared: bool = False

    def __str__(self) -> str:
        """Return the link as the plan shows it."""
        return f"{self.column} = {self.equals}"


@dataclass(frozen=True, slots=True)
class OwnedBy:
    """A link to rows that the person's rows refer to: ``by`` is ``"table.column"``.

    A row that anybody else refers to as well stays as it is.
    """

    by: str

    def __str__(self) -> str:
        """Return the link as the plan shows it."""
        return self.by


@dataclass(frozen=True, slots=True)
class Generic:
    """A link by a pair of columns: ``kind`` says whose key stands in ``key``.

    Where ``kind`` is text, ``name`` is what stands there for people. Where it refers to a table
    of kinds, ``name`` holds the values of that table's unique key, with dots between them. People
    who are of several kinds, as subclasses with one key are, have a tuple of names.

    Raises:
        ValueError: a name is missing: the link would reach rows about anything.
    """

    type_column: str
    id_column: str
    type: str | tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a link without a name."""
        if not self.names or not all(self.names):
            raise ValueError("Generic needs the name of what people are called in its kind.")

    @property
    def names(self) -> tuple[str, ...]:
        """Return every name."""
        return (self.type,) if isinstance(self.type, str) else self.type

    def __str__(self) -> str:
        """Return the link as the plan shows it."""
        return f"{self.id_column} where {self.type_column} = {' or '.join(self.names)}"


Via = str | tuple[str, ...] | MatchBy | OwnedBy | Generic
"""A foreign-key path by its column or columns, or one of the relationships above."""


def referring_columns(via: Via) -> tuple[str, ...]:
    """Return the columns of the table itself that refer, and so need no rule."""
    if isinstance(via, str):
        return (via.split(".")[0],)
    if isinstance(via, Generic):
        return (via.type_column, via.id_column)
    # By value, the column may itself name the person: it needs a rule of its own.
    return via if isinstance(via, tuple) else ()


def compared_columns(via: Via) -> tuple[str, ...]:
    """Return the columns of the table itself that the relationship looks into."""
    return (via.column,) if isinstance(via, MatchBy) else referring_columns(via)
