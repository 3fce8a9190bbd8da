"""Models with what their database adds: NOT NULL, lengths, keys, CHECKs and foreign keys.

Efface checks a policy against this MetaData as against the models. So an action that is possible
on the model and impossible in the database is a problem as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    ForeignKeyConstraint,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    literal_column,
)
from sqlalchemy import Column as TableColumn
from sqlalchemy.types import TypeEngine

from efface.catalog import Catalog
from efface.catalog.metadata import ENFORCED
from efface.catalog.relation import Column as LiveColumn
from efface.catalog.relation import ForeignKey, Name, Relation
from efface.catalog.relation import Index as LiveIndex

_TEXT = ("char", "text", "clob")


def narrowed(models: MetaData, database: Catalog) -> MetaData:
    """Return the models' tables that *database* has, with the database's constraints.

    Columns keep the model's type, because it knows better what a value is.
    """
    found = {
        name: relation
        for name, table in models.tables.items()
        if (relation := database.find_table(table)) is not None
    }
    names = {relation.name: name for name, relation in found.items()}
    made = MetaData()
    for name, relation in found.items():
        _Narrowing(models.tables[name], relation, database, names, made).add()
    return made


@dataclass(frozen=True)
class _Narrowing:
    table: Table
    relation: Relation
    database: Catalog
    names: dict[Name, str]
    made: MetaData

    def add(self) -> None:
        here = {self.database.fold(str(column.name)): column for column in self.table.columns}
        pairs = [
            (here[name], column)
            for column in self.relation.columns
            if (name := self.database.fold(column.name)) in here
        ]
        spelled = {self.database.fold(column.name): str(mine.name) for mine, column in pairs}
        Table(
            str(self.table.name),
            self.made,
            *(_column(mine, column) for mine, column in pairs),
            *self._primary_key(spelled),
            *(
                CheckConstraint(literal_column(check.text), name=check.name)
                for check in self.relation.checks
            ),
            *(each for index in self.relation.indexes for each in self._index(index, spelled)),
            *self._foreign_keys(spelled),
            schema=self.table.schema,
        )

    def _named(self, columns: tuple[str, ...], spelled: dict[str, str]) -> list[str] | None:
        """Return *columns* as the model spells them, or None if it lacks one of them."""
        found = [spelled.get(self.database.fold(name)) for name in columns]
        return None if None in found else [str(name) for name in found]

    def _primary_key(self, spelled: dict[str, str]) -> Iterator[PrimaryKeyConstraint]:
        mine = [str(column.name) for column in self.table.primary_key]
        theirs = self._named(self.relation.primary_key, spelled) or []
        # The order decides whether the index helps to find rows.
        found = theirs if set(theirs) == set(mine) else mine
        if found and set(found) <= set(spelled.values()):
            yield PrimaryKeyConstraint(*found)

    def _index(
        self, index: LiveIndex, spelled: dict[str, str]
    ) -> Iterator[Index | UniqueConstraint]:
        names = self._named(index.columns or (), spelled)
        if not names or not index.is_valid:
            return
        if index.is_unique and index.condition is None:
            if not index.is_primary or set(names) != {c.name for c in self.table.primary_key}:
                yield UniqueConstraint(*names)
            return
        options: dict[str, Any] = {}
        if index.condition is not None:
            condition: Any = literal_column(index.condition)
            options = {f"{name}_where": condition for name in ("sqlite", "postgresql")}
        yield Index(index.name, *names, unique=index.is_unique, **options)

    def _foreign_keys(self, spelled: dict[str, str]) -> Iterator[ForeignKeyConstraint]:
        known = set()
        for key in self.relation.foreign_keys:
            names, targets = self._named(key.columns, spelled), self._targets(key)
            if names and targets:
                known.add(tuple(sorted(names)))
                yield ForeignKeyConstraint(
                    names,
                    targets,
                    ondelete=key.on_delete,
                    onupdate=key.on_update,
                    initially="DEFERRED" if key.initially_deferred else None,
                )
        for mine in self.table.foreign_key_constraints:
            # A reference without a constraint in the database is one all the same.
            names = [str(element.parent.name) for element in mine.elements]
            if tuple(sorted(names)) in known or not set(names) <= set(spelled.values()):
                continue
            relation = self.database.find_table(mine.referred_table)
            if relation is None or relation.name not in self.names:
                continue
            columns = {self.database.fold(column.name) for column in relation.columns}
            if columns.issuperset(self.database.fold(e.column.name) for e in mine.elements):
                targets = [element.target_fullname for element in mine.elements]
                yield ForeignKeyConstraint(
                    names,
                    targets,
                    ondelete=mine.ondelete,
                    initially=mine.initially,
                    info={ENFORCED: False},
                )

    def _targets(self, key: ForeignKey) -> list[str]:
        """Return what *key* refers to as the models name it; nothing if they do not have it."""
        relation = self.database.find(key.target.name, key.target.schema)
        if relation is None or relation.name not in self.names:
            return []
        columns = self.table.metadata.tables[self.names[relation.name]].columns
        spelled = {self.database.fold(str(c.name)): str(c.name) for c in columns}
        found = [spelled.get(self.database.fold(name)) for name in key.target_columns]
        return [] if None in found else [f"{self.names[relation.name]}.{name}" for name in found]


def _column(mine: TableColumn[Any], theirs: LiveColumn) -> Column[Any]:
    computed = [] if theirs.generated is None else [Computed(theirs.generated)]
    return Column(
        str(mine.name),
        _type(mine.type, theirs),
        *computed,
        nullable=theirs.nullable and not mine.primary_key,
    )


def _type(model: TypeEngine[Any], column: LiveColumn) -> TypeEngine[Any]:
    # The database knows better how long a text may be.
    if type(model).__name__ not in ("String", "Text", "VARCHAR") or column.element is not None:
        return model
    is_text = any(word in column.base.lower() for word in _TEXT)
    return String(column.length) if is_text else model
