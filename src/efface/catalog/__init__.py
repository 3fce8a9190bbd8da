"""BEFORE THE STAGES · the schema as a value, from models or from a live database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol, Self

from sqlalchemy import Connection, MetaData, Table

from efface.catalog import postgresql, sqlite
from efface.catalog.fingerprints import Schemas, fingerprint
from efface.catalog.metadata import read as read_models
from efface.catalog.relation import ForeignKey, Name, Relation
from efface.catalog.unknown import Unknown, ask
from efface.errors.database_refusals import RetryError

READERS = {"postgresql": postgresql.read, "sqlite": sqlite.read}
ATTEMPTS = 3
"""How often a catalog is read, if the schema changes meanwhile."""


class Models(Protocol):
    """What has models: a declarative base, a policy, the schema of Django's models."""

    @property
    def metadata(self) -> MetaData:
        """Return the tables."""
        ...


@dataclass(frozen=True)
class Catalog:
    """The relations that models describe or a database contains.

    Attributes:
        relations: Tables, views and the like, by name.
        dialect: The kind of database, as SQLAlchemy names it; None for models.
        fingerprint: What `fingerprint` said before the relations were read; None for models.
        namesakes: Tables of further schemas with one of the `mixed_names`, one for each.
    """

    relations: tuple[Relation, ...]
    dialect: str | None = None
    fingerprint: str | None = field(default=None, compare=False)
    namesakes: tuple[Name, ...] = ()

    @classmethod
    def of_models(cls, models: MetaData | Models) -> Self:
        """Return what the models say.

        Args:
            models: A `MetaData`, or what has one: a declarative base, or the policy of an eraser,
                which on Django is the one of the project's models.
        """
        return cls(read_models(models if isinstance(models, MetaData) else models.metadata))

    @classmethod
    def of_database(cls, connection: Connection, schemas: Schemas = (None,)) -> Self | Unknown:
        """Return what the database says, by the same few queries for any number of tables.

        Relations of other schemas are among them if they refer to relations of *schemas*, or are
        a part of them.

        Args:
            connection: The database; its transaction stays usable after a refusal.
            schemas: The schemas to look at; None is what a name without a schema finds: the
                search path of PostgreSQL, temporary and main tables of SQLite.

        Raises:
            UnsupportedDatabaseError: the database is neither PostgreSQL nor SQLite.
            StatementError: the database refused to answer, or changes without end.
        """
        before = fingerprint(connection, schemas)
        if isinstance(before, Unknown):
            return before
        return ask(connection, lambda asked: cls._read(asked, schemas, before))

    @classmethod
    def _read(cls, connection: Connection, schemas: Schemas, before: str) -> Self:
        """Return a catalog whose queries have all seen the same schema, if there was one."""
        read, name = READERS[connection.dialect.name], connection.dialect.name
        for attempt in range(1, ATTEMPTS + 1):
            with suppress(LookupError):  # one query has seen what another has not
                relations = read(connection, schemas)
                found = cls(relations, name, before)
                found = replace(found, namesakes=find_namesakes(connection, found.mixed_names))
                after = fingerprint(connection, schemas, guarded=False)
                # An older fingerprint at worst: the caller then reads the catalog again.
                if after == before or attempt == ATTEMPTS:
                    return found
            before = str(fingerprint(connection, schemas, guarded=False))
        raise RetryError("catalog", "describe", LookupError.__name__, None)

    def find(self, name: str, schema: str | None = None) -> Relation | None:
        """Return the relation of this name, or None.

        On PostgreSQL you can also name the real schema of a relation. SQLite ignores the case of
        names.
        """
        return self._by_name.get(Name(schema, name)) or self._by_name.get(
            Name(self._folded(schema), self.fold(name))
        )

    def find_table(self, table: Table) -> Relation | None:
        """Return the relation that belongs to a model's table, or None."""
        return self.find(str(table.name), None if table.schema is None else str(table.schema))

    @property
    def mixed_names(self) -> tuple[str, ...]:
        """Return the names that are found without a schema, if they are in several schemas."""
        found = [r for r in self.relations if r.name.schema is None and r.extension is None]
        is_mixed = len({relation.namespace for relation in found}) > 1
        return tuple(sorted(relation.name.name for relation in found)) if is_mixed else ()

    def is_ambiguous(self, relation: Relation, other: Relation) -> bool:
        """Return whether the two can belong to different copies of the same tables.

        They are in different schemas, and one of them is in further schemas as well, as the tables
        of tenants are; or one of them is temporary.
        """
        if relation.namespace == other.namespace:
            return False
        return relation.is_temporary != other.is_temporary or any(
            each.name.schema is None and each.name.name == namesake.name
            for each in (relation, other)
            for namesake in self.namesakes
        )

    def references_to(self, relation: Relation) -> Iterator[tuple[Relation, ForeignKey]]:
        """Yield each foreign key to *relation*, after the relation that has the key."""
        yield from self._references.get(relation.name, ())

    def has_column(self, relation: Relation, name: str) -> bool:
        """Return whether *relation* has a column of this name."""
        return self.fold(name) in {self.fold(column.name) for column in relation.columns}

    def descendants(self, relation: Relation) -> Iterator[Relation]:
        """Yield the partitions of *relation*, and the tables that inherit from it, at any depth."""
        for name in relation.children:
            child = self.find(name.name, name.schema)
            if child is not None:
                yield child
                yield from self.descendants(child)

    def ancestors(self, relation: Relation) -> Iterator[Relation]:
        """Yield the table that *relation* is a part of, or inherits from, at any depth."""
        for name in relation.parents:
            parent = self.find(name.name, name.schema)
            if parent is not None:
                yield parent
                yield from self.ancestors(parent)

    def fold(self, name: str) -> str:
        """Return what names have in common that the database takes for the same."""
        return name.lower() if self.dialect == "sqlite" else name

    def _folded(self, name: str | None) -> str | None:
        return None if name is None else self.fold(name)

    @cached_property
    def _by_name(self) -> Mapping[Name, Relation]:
        found: dict[Name, Relation] = {}
        for each in self.relations:
            found[Name(self._folded(each.name.schema), self.fold(each.name.name))] = each
            if each.namespace is not None:
                found.setdefault(Name(each.namespace, each.name.name), each)
        # The name that a statement uses wins over the real schema.
        return {**found, **{each.name: each for each in self.relations}}

    @cached_property
    def _references(self) -> Mapping[Name, Collection[tuple[Relation, ForeignKey]]]:
        found: dict[Name, list[tuple[Relation, ForeignKey]]] = {}
        for each in self.relations:
            for key in each.foreign_keys:
                target = self.find(key.target.name, key.target.schema)
                name = key.target if target is None else target.name
                found.setdefault(name, []).append((each, key))
        return found


def find_namesakes(connection: Connection, names: Collection[str]) -> tuple[Name, ...]:
    """Return tables with these *names* that a name without a schema does not find, one for each.

    On SQLite there are none: each name is in the main database or is temporary.
    """
    if not names or connection.dialect.name != "postgresql":
        return ()
    return postgresql.namesakes(connection, names)
