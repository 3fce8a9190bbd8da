"""The values of a catalog: relations with columns, keys, foreign keys and triggers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

Action = Literal["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"]
Identity = Literal["ALWAYS", "BY DEFAULT"]
Timing = Literal["BEFORE", "AFTER", "INSTEAD OF"]
Level = Literal["ROW", "STATEMENT", "RULE"]


class Kind(StrEnum):
    """What sort of relation it is."""

    TABLE = "table"
    PARTITIONED = "partitioned table"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized view"
    FOREIGN_TABLE = "foreign table"
    VIRTUAL = "virtual table"
    SHADOW = "shadow table"
    """A table that one of SQLite's virtual tables keeps its data in."""


class Name(NamedTuple):
    """The name of a relation; schema is None if a statement finds it without one."""

    schema: str | None
    name: str

    def __str__(self) -> str:
        """Return it as SQLAlchemy's ``Table.fullname`` has it."""
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: Its name.
        type: The declared type, as the database or the model spells it.
        base: The type below any domain; the declared type, if there is no domain.
        element: The base type of an array's elements, or None.
        length: How many characters fit; None without a limit.
        nullable: Whether it accepts NULL; a domain can forbid that as well.
        default: The expression of the database's default.
        generated: The expression that a computed column always has.
        identity: Whether the database numbers rows here, and whether a statement may do so.
        collation: The collation, if it is not the default of the database.
        is_deterministic: Whether text is equal only if its bytes are.
        labels: The values of an enumerated type.
    """

    name: str
    type: str
    base: str
    element: str | None = None
    length: int | None = None
    nullable: bool = True
    default: str | None = None
    generated: str | None = None
    identity: Identity | None = None
    collation: str | None = None
    is_deterministic: bool = True
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """One column of an index, or the text of an expression, and how it compares text."""

    column: str | None
    expression: str | None = None
    collation: str | None = None
    is_deterministic: bool = True


@dataclass(frozen=True)
class Index:
    """An index; a primary key and a unique constraint are indexes as well.

    Attributes:
        name: Its name; None for SQLite's rowid and for models without one.
        parts: What it compares, in order.
        is_unique: Whether two rows with equal parts are refused.
        is_primary: Whether it is the primary key.
        condition: The text of the condition of a partial index.
        nulls_distinct: Whether two rows with NULL are different.
        deferrable: Whether the check can wait for the commit.
        initially_deferred: Whether it does, if nothing else is said.
        is_valid: Whether queries use it; False after a ``CREATE INDEX CONCURRENTLY`` that failed.
        method: The access method, such as btree.
    """

    name: str | None
    parts: tuple[Part, ...]
    is_unique: bool = False
    is_primary: bool = False
    condition: str | None = None
    nulls_distinct: bool = True
    deferrable: bool = False
    initially_deferred: bool = False
    is_valid: bool = True
    method: str = "btree"

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Return the columns in order, or None if one of the parts is an expression."""
        names = tuple(part.column for part in self.parts if part.column is not None)
        return names if len(names) == len(self.parts) else None


@dataclass(frozen=True)
class ForeignKey:
    """A reference from columns of one relation to columns of another.

    Attributes:
        name: The constraint's name; None if it has none.
        columns: The referring columns.
        target: The relation that is referred to.
        target_columns: Its columns, in the order of ``columns``.
        on_delete: What happens to the referring row when its target is deleted.
        on_update: What happens to it when the columns of its target change.
        set_columns: The columns that SET NULL or SET DEFAULT writes.
        match_full: Whether a row must have all of the columns, or NULL in all.
        deferrable: Whether the check can wait for the commit.
        initially_deferred: Whether it does, if nothing else is said.
        is_checked: Whether the database refuses a row without its target.
        is_acting: Whether the database does what ``on_delete`` and ``on_update`` say. Triggers
            that are disabled can end the one without the other.
    """

    name: str | None
    columns: tuple[str, ...]
    target: Name
    target_columns: tuple[str, ...]
    on_delete: Action = "NO ACTION"
    on_update: Action = "NO ACTION"
    set_columns: tuple[str, ...] = ()
    match_full: bool = False
    deferrable: bool = False
    initially_deferred: bool = False
    is_checked: bool = True
    is_acting: bool = True


@dataclass(frozen=True)
class Check:
    """A CHECK, of the relation or of a column's domain, or an exclusion constraint, as text."""

    name: str | None
    text: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Trigger:
    """A trigger, or a rule of PostgreSQL, which rewrites statements.

    Attributes:
        name: Its name.
        timing: When it runs; a rule runs instead of the statement or after it.
        events: INSERT, UPDATE, DELETE, TRUNCATE.
        level: Whether it runs for each row, for each statement, or is a rule.
        columns: The columns of ``UPDATE OF``; empty for all.
        is_enabled: Whether it runs in this session.
        is_deferred: Whether it waits for the commit.
    """

    name: str
    timing: Timing
    events: tuple[str, ...]
    level: Level
    columns: tuple[str, ...] = ()
    is_enabled: bool = True
    is_deferred: bool = False


@dataclass(frozen=True)
class Relation:
    """A table, view or the like.

    Attributes:
        name: Its name.
        kind: What it is.
        namespace: The schema that contains it; None in a catalog of models.
        columns: Its columns, in order; none for a view of SQLite that no longer works.
        indexes: Its indexes, the primary key and unique constraints among them.
        foreign_keys: Its references to others.
        checks: Its CHECKs and those of its columns' domains.
        exclusions: Its exclusion constraints.
        triggers: Its triggers and rules.
        parents: The partitioned table that it is a part of, or the tables it inherits from.
        children: Its partitions, or the tables that inherit from it.
        is_partition: Whether it is a partition.
        partitioned_by: How a partitioned table chooses the partition of a row.
        row_security: Whether row level security is enabled.
        row_security_active: Whether it hides rows from the current role.
        is_temporary: Whether it ends with the session.
        extension: The extension that it belongs to.
        rowid: A name that reads SQLite's rowid; None if the relation has no rowid, or if columns
            hide each of its names.
        is_without_rowid: Whether SQLite keeps it without a rowid.
    """

    name: Name
    kind: Kind = Kind.TABLE
    namespace: str | None = None
    columns: tuple[Column, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    exclusions: tuple[Check, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    parents: tuple[Name, ...] = ()
    children: tuple[Name, ...] = ()
    is_partition: bool = False
    partitioned_by: str | None = None
    row_security: bool = False
    row_security_active: bool = False
    is_temporary: bool = False
    extension: str | None = None
    rowid: str | None = None
    is_without_rowid: bool = False

    def __str__(self) -> str:
        """Return the name."""
        return str(self.name)

    @property
    def is_table(self) -> bool:
        """Return whether its rows are its own, and not made from others or kept elsewhere."""
        return self.kind in (Kind.TABLE, Kind.PARTITIONED)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Return the columns of the primary key; none if there is none."""
        return next((each.columns or () for each in self.indexes if each.is_primary), ())

    @property
    def unique_keys(self) -> tuple[Index, ...]:
        """Return what else makes rows unique: constraints and unique indexes."""
        return tuple(each for each in self.indexes if each.is_unique and not each.is_primary)

    def column(self, name: str) -> Column | None:
        """Return the column of this name, or None."""
        return next((each for each in self.columns if each.name == name), None)
