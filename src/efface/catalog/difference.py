"""The differences between models and a database, as values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from efface.catalog import Catalog
from efface.catalog.relation import Column, ForeignKey, Index, Kind, Name, Relation
from efface.catalog.tokens import tokens

Key = tuple[frozenset[str], bool, bool]


class What(StrEnum):
    """The kinds of difference."""

    RELATION_MISSING = "relation missing"
    RELATION_EXTRA = "relation extra"
    KIND = "kind"
    COLUMN_MISSING = "column missing"
    COLUMN_EXTRA = "column extra"
    NULLABLE = "nullable"
    LENGTH = "length shorter"
    GENERATED = "generated"
    DETERMINISTIC = "collation deterministic"
    PRIMARY_KEY = "primary key"
    UNIQUE = "unique key"
    FOREIGN_KEY = "foreign key"
    TARGET = "foreign key target"
    ON_DELETE = "foreign key on delete"
    ON_UPDATE = "foreign key on update"
    DEFERRED = "foreign key initially deferred"
    ENFORCED = "foreign key enforced"


Side = Relation | Column | Index | ForeignKey | None


@dataclass(frozen=True)
class Difference:
    """One thing that only one side has, or that differs between both.

    Attributes:
        what: The kind of difference.
        relation: The relation, as the models name it if they have it.
        columns: The columns that it is about.
        models: The models' side; None if they do not have it.
        database: The database's side; None if it does not have it.
    """

    what: What
    relation: Name
    columns: tuple[str, ...] = ()
    models: Side = None
    database: Side = None


def difference(models: Catalog, database: Catalog) -> tuple[Difference, ...]:
    """Return the differences between *models* and *database*.

    It leaves out

    - temporary relations, relations of extensions, and the shadow tables of SQLite;
    - partitions of a table that the models have;
    - tables that inherit from such a table, except for their additional columns;
    - foreign keys that SQLite does not enforce, because the connection decides that for all.
    """
    fold = str.lower if database.dialect == "sqlite" else str
    return tuple(_Comparison(models, database, fold).differences())


@dataclass(frozen=True)
class _Comparison:
    models: Catalog
    database: Catalog
    fold: Callable[[str], str]

    def differences(self) -> Iterator[Difference]:
        known = set()
        for here in self.models.relations:
            there = self.database.find(here.name.name, here.name.schema)
            if there is None:
                yield Difference(What.RELATION_MISSING, here.name, models=here)
            else:
                known.add(there.name)
                yield from self._relation(here, there)
        for there in self.database.relations:
            if there.name not in known:
                yield from self._extra(there, known)

    def _extra(self, there: Relation, known: set[Name]) -> Iterator[Difference]:
        if there.is_temporary or there.extension is not None or there.kind is Kind.SHADOW:
            return
        parents = list(self.database.ancestors(there))
        if any(parent.name in known for parent in parents):
            inherited = {column.name for parent in parents for column in parent.columns}
            for column in there.columns:
                if column.name not in inherited:
                    yield Difference(What.COLUMN_EXTRA, there.name, (column.name,), database=column)
        else:
            yield Difference(What.RELATION_EXTRA, there.name, database=there)

    # ------------------------------------------------------------ one relation

    def _relation(self, here: Relation, there: Relation) -> Iterator[Difference]:
        if here.is_table != there.is_table:
            yield Difference(What.KIND, here.name, (), here, there)
        mine = {self.fold(column.name): column for column in here.columns}
        theirs = {self.fold(column.name): column for column in there.columns}
        for name, column in mine.items():
            if name not in theirs:
                yield Difference(What.COLUMN_MISSING, here.name, (column.name,), models=column)
            else:
                is_key = column.name in here.primary_key
                yield from _column(here.name, column, theirs[name], is_key=is_key)
        for name, column in theirs.items():
            if name not in mine:
                yield Difference(What.COLUMN_EXTRA, here.name, (column.name,), database=column)
        if there.is_table:
            yield from self._keys(here, there)
            yield from self._references(here, there)

    def _keys(self, here: Relation, there: Relation) -> Iterator[Difference]:
        mine, theirs = _primary(here), _primary(there)
        if self._same(here.primary_key) != self._same(there.primary_key):
            columns = here.primary_key or there.primary_key
            yield Difference(What.PRIMARY_KEY, here.name, columns, mine, theirs)
        said, found = self._unique(here), self._unique(there)
        # A primary key also serves as the unique key over the same columns.
        keys = {(self._same(each.primary_key), False, True) for each in (here, there)}
        for key, index in said.items():
            if key not in found and key not in keys:
                yield Difference(What.UNIQUE, here.name, _columns(index), models=index)
        for key, index in found.items():
            if key not in said and key not in keys:
                yield Difference(What.UNIQUE, here.name, _columns(index), database=index)

    def _unique(self, relation: Relation) -> dict[Key, Index]:
        return {
            (
                frozenset(
                    _plain(part.expression or "") if part.column is None else self.fold(part.column)
                    for part in index.parts
                ),
                index.condition is not None,
                index.nulls_distinct,
            ): index
            for index in relation.unique_keys
            if index.is_valid
        }

    def _same(self, columns: tuple[str, ...]) -> frozenset[str]:
        return frozenset(map(self.fold, columns))

    # ------------------------------------------------------------ foreign keys

    def _references(self, here: Relation, there: Relation) -> Iterator[Difference]:
        said, found = self._by_columns(here), self._by_columns(there)
        for columns in sorted({**said, **found}):
            mine, theirs = said.get(columns, {}), found.get(columns, {})
            if self._has_columns(here, columns) and self._has_columns(there, columns):
                yield from self._reference(here.name, mine, theirs)

    def _reference(
        self,
        name: Name,
        mine: dict[object, ForeignKey],
        theirs: dict[object, ForeignKey],
    ) -> Iterator[Difference]:
        for target in [target for target in mine if target in theirs]:
            for each in _actions(name, mine.pop(target), theirs.pop(target)):
                if each.what is not What.ENFORCED or self.database.dialect != "sqlite":
                    yield each
        for one, other in zip(list(mine), list(theirs), strict=False):
            key = mine.pop(one)
            yield Difference(What.TARGET, name, key.columns, key, theirs.pop(other))
        for key in mine.values():
            if key.is_checked or key.is_acting:
                yield Difference(What.FOREIGN_KEY, name, key.columns, models=key)
        for key in theirs.values():
            yield Difference(What.FOREIGN_KEY, name, key.columns, database=key)

    def _by_columns(self, relation: Relation) -> dict[tuple[str, ...], dict[object, ForeignKey]]:
        """Return the foreign keys by their columns, and by what they refer to."""
        found: dict[tuple[str, ...], dict[object, ForeignKey]] = {}
        for key in relation.foreign_keys:
            folded = (map(self.fold, names) for names in (key.columns, key.target_columns))
            pairs = sorted(zip(*folded, strict=True))
            # By what the database calls it: models can name the schema that a search path finds.
            target = self.database.find(key.target.name, key.target.schema)
            name = key.target if target is None else target.name
            columns, targets = zip(*pairs, strict=True)
            found.setdefault(columns, {})[name, targets] = key
        return found

    def _has_columns(self, relation: Relation, columns: tuple[str, ...]) -> bool:
        return {self.fold(column.name) for column in relation.columns}.issuperset(columns)


def _column(name: Name, mine: Column, theirs: Column, *, is_key: bool) -> Iterator[Difference]:
    differs = {
        # SQLite accepts NULL in a key without NOT NULL, and models do not say so.
        What.NULLABLE: mine.nullable != theirs.nullable and not is_key,
        # A database without enumerations stores text, as long as the longest value.
        What.LENGTH: theirs.length is not None
        and not mine.labels
        and (mine.length is None or theirs.length < mine.length),
        What.GENERATED: (mine.generated is None) != (theirs.generated is None),
        What.DETERMINISTIC: mine.is_deterministic != theirs.is_deterministic,
    }
    for what, is_so in differs.items():
        if is_so:
            yield Difference(what, name, (mine.name,), mine, theirs)


def _actions(name: Name, mine: ForeignKey, theirs: ForeignKey) -> Iterator[Difference]:
    differs = {
        What.ON_DELETE: (mine.on_delete, set(mine.set_columns))
        != (theirs.on_delete, set(theirs.set_columns)),
        What.ON_UPDATE: mine.on_update != theirs.on_update,
        What.DEFERRED: mine.initially_deferred != theirs.initially_deferred,
        What.ENFORCED: (mine.is_checked, mine.is_acting) != (theirs.is_checked, theirs.is_acting),
    }
    for what, is_so in differs.items():
        if is_so:
            yield Difference(what, name, mine.columns, mine, theirs)


def _primary(relation: Relation) -> Index | None:
    return next((index for index in relation.indexes if index.is_primary), None)


def _columns(index: Index) -> tuple[str, ...]:
    return tuple(part.column for part in index.parts if part.column is not None)


def _plain(expression: str) -> str:
    """Return an expression without what databases add: casts, brackets and quotes."""
    kept, is_cast = [], False
    for token in tokens(expression):
        if token.kind == "cast":
            is_cast = True
        elif is_cast and token.kind == "word":
            # A type can have two words, as character varying; a word never follows an operand.
            continue
        elif token.text not in "()":
            kept.append(token.name.casefold())
            is_cast = False
        else:
            is_cast = False
    return " ".join(kept)
