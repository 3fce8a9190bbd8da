"""Declare how Efface finds the rows that belong to a user, other than by a foreign key."""

from __future__ import annotations

from dataclasses import dataclass

from efface.errors import RuleArgumentError


@dataclass(frozen=True, slots=True)
class MatchBy:
    """Find rows by value: their ``column`` equals a column of a table that has a rule.

    Use it if there is no foreign key. NULL, blank and placeholder values match no row.

    Args:
        column: The column of this table.
        equals: The column it equals, as ``"table.column"``.
        shared: Allows a column of *equals* that is not unique. Closing one account then affects
            the rows of all users who share the value.
    """

    column: str
    equals: str
    shared: bool = False

    def __str__(self) -> str:
        """Return the relationship as a plan shows it."""
        return f"{self.column} = {self.equals}"


@dataclass(frozen=True, slots=True)
class OwnedBy:
    """Find rows that the user's rows reference, such as the address of an order.

    Efface doesn't change a row that another user's row references too.

    Args:
        by: The foreign key that references this table, as ``"table.column"``.
    """

    by: str

    def __str__(self) -> str:
        """Return the relationship as a plan shows it."""
        return self.by


@dataclass(frozen=True, slots=True)
class Generic:
    """Find rows by a generic foreign key: one column has a type, another the key of a row.

    Args:
        type_column: The column with the type, as text or as a foreign key to a table of types.
        id_column: The column with the primary key.
        type: The value of *type_column* for users. If it references a table of types: the values
            of that table's unique key, with dots between them. A tuple if users have several
            types, such as multi-table subclasses.

    Raises:
        RuleArgumentError: *type* is empty, so rows about anything would match.
    """

    type_column: str
    id_column: str
    type: str | tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse an empty type."""
        if not self.names or not all(self.names):
            raise RuleArgumentError(
                "Generic needs a type, because without one it would reach rows about anything. "
                "Give the value that type_column has for your users: Generic("
                f'"{self.type_column}", "{self.id_column}", type="...")'
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Return the types as a tuple."""
        return (self.type,) if isinstance(self.type, str) else self.type

    def __str__(self) -> str:
        """Return the relationship as a plan shows it."""
        return f"{self.id_column} where {self.type_column} = {' or '.join(self.names)}"


Via = str | tuple[str, ...] | MatchBy | OwnedBy | Generic
"""A foreign-key path by its column or columns, or one of the relationships above."""


def referring_columns(via: Via) -> tuple[str, ...]:
    """Return the referencing columns of the table itself, which need no rule of their own."""
    if isinstance(via, str):
        return (via.split(".")[0],)
    if isinstance(via, Generic):
        return (via.type_column, via.id_column)
    # A column compared by value may identify the user, so it needs a rule of its own.
    return via if isinstance(via, tuple) else ()


def compared_columns(via: Via) -> tuple[str, ...]:
    """Return the columns of the table itself that the relationship reads."""
    return (via.column,) if isinstance(via, MatchBy) else referring_columns(via)


def named(via: Via) -> str:
    """Return the name that a path has for this relationship of the table it goes through."""
    return f"({', '.join(via)})" if isinstance(via, tuple) else str(via)


def shown(via: Via) -> str:
    """Return *via* as Python code, as a line to paste has it."""
    return f'"{via}"' if isinstance(via, str) else repr(via).replace("'", '"')


def onward_of(via: Via) -> str:
    """Return the name of the relationship by which a path goes on; empty if it has none."""
    return via.partition(".")[2] if isinstance(via, str) else ""
