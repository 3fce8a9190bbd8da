"""Django's models as a SQLAlchemy MetaData: what the stages take for the schema.

Models are the truth here, not the database: they know references without a constraint, and what
a reference refers to. `efface.policy.schema_drift` compares them with the live schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model
from sqlalchemy import Column, Computed, ForeignKeyConstraint, Index, MetaData, Table

from efface.catalog.metadata import ENFORCED
from efface.django.rules import ATTRIBUTE, Names, Rules, decided, no_rules
from efface.django.schema.deleted_at_field import Tombstone
from efface.django.schema.field_types import column_type
from efface.django.schema.model_constraints import constraints_of
from efface.errors import Problem
from efface.policy.declarations import RuleItem, not_personal

OURS = "efface"
"""The label of this application: its table is the engine's own, not one to decide."""
Finding = Callable[[type[Model]], Rules | None]


@dataclass(frozen=True)
class Schema:
    """The tables of one database, whose models they are, and what is wrong with their rules.

    ``readers`` are further models over a table, which decide nothing about it.
    """

    metadata: MetaData
    models: Mapping[str, type[Model]]
    readers: Mapping[str, tuple[type[Model], ...]]
    problems: tuple[Problem, ...]


def read(alias: str, find: Finding, *, without: frozenset[str] = frozenset()) -> Schema:
    """Return the tables that the models have in the database *alias*.

    Args:
        alias: The database's name in ``DATABASES``; routers say which models it has.
        find: Gives the rules of a model, or None where it has none.
        without: Tables to leave out, and references to them.
    """
    claims: dict[str, list[type[Model]]] = {}
    for model in models_in(alias):
        if table_name(model) not in without:
            claims.setdefault(table_name(model), []).append(model)
    problems = [
        problem
        for name, found in claims.items()
        for problem in (*_claims(name, found, find), *_written_elsewhere(name, found))
    ]
    models = {name: _owner(found) for name, found in claims.items()}
    readers = {
        name: tuple(model for model in found if model is not models[name])
        for name, found in claims.items()
    }
    metadata = MetaData()
    reading = _Reading(connections[alias], models, metadata, problems)
    for name, model in models.items():
        reading.table(name, model, find(model))
    return Schema(metadata, models, readers, tuple(problems))


def models_in(alias: str) -> Iterator[type[Model]]:
    """Yield the models that have a table of their own in the database *alias*."""
    for model in apps.get_models(include_auto_created=True):
        options = model._meta
        if options.proxy or options.swapped or options.app_label == OURS:
            continue
        if router.allow_migrate_model(alias, model):
            yield model


def table_name(model: type[Model]) -> str:
    """Return the full name of the model's table, as ``table`` or ``schema.table``."""
    schema, name = _split(model._meta.db_table)
    return f"{schema}.{name}" if schema else name


def _split(db_table: str) -> tuple[str | None, str]:
    """Return schema and name; Django writes them in one as ``"schema"."table"``."""
    if '"."' not in db_table:
        return None, db_table.strip('"')
    schema, _, name = db_table.strip('"').partition('"."')
    return schema, name


def _owner(found: list[type[Model]]) -> type[Model]:
    # A second, unmanaged model over a managed one's table is a common way to read it.
    return next((model for model in found if model._meta.managed), found[0])


def _claims(name: str, found: list[type[Model]], find: Finding) -> Iterator[Problem]:
    """Yield that nobody can say whose rules hold for a table, or that some would be ignored."""
    if len(found) > 1 and (sum(bool(m._meta.managed) for m in found) != 1):
        labels = " and ".join(sorted(model._meta.label for model in found))
        text = f"{labels} have this table both, so nobody can say which of them decides about it."
        yield Problem(
            "E606", name, None, text, 'Meta.db_table = "..."    # another for one of them'
        )
        return
    owner = _owner(found)
    for model in found:
        if model is owner or (rules := find(model)) is None or rules == find(owner):
            continue
        here, there = model._meta.label, owner._meta.label
        text = (
            f"{there} and {here} have this table both. {there} decides about it, as the one that "
            f"is managed, so the rules of {here} would be ignored. Move them:"
        )
        paste = f"efface = Rules(...)    # out of {here} into {there}, with the fields they name"
        yield Problem("E606", name, None, text, paste)


def _written_elsewhere(name: str, found: list[type[Model]]) -> Iterator[Problem]:
    """Yield what was written as rules of these models and is none, or where none are read."""
    for model in found:
        for place, said in no_rules(model):
            text = f"efface of {place} is no Rules(...), so it would be ignored. Write:"
            yield Problem("E606", name, None, text, f"efface = {said}    # in {place}")
    for proxy in apps.get_models():
        options = proxy._meta
        if options.proxy and options.concrete_model in found and ATTRIBUTE in proxy.__dict__:
            here, there = options.label, options.concrete_model._meta.label
            text = f"{here} is a proxy, so its efface would be ignored. Move it:"
            paste = f"efface = Rules(...)    # out of {here} into {there}"
            yield Problem("E606", name, None, text, paste)


class _Reading:
    """Tables on their way into one MetaData; what is wrong with names is collected."""

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        models: Mapping[str, type[Model]],
        metadata: MetaData,
        problems: list[Problem],
    ) -> None:
        self._connection, self._models = connection, models
        self._metadata, self._problems = metadata, problems

    def table(self, full_name: str, model: type[Model], rules: Rules | None) -> None:
        """Add the table of *model* with what *rules* decide about it."""
        options = model._meta
        names = Names(model, table_name, full_name)
        rule_items, on_columns = decided(rules or Rules(), names)
        self._problems += names.problems
        keys = {f.column for f in getattr(options, "pk_fields", [options.pk])}
        # Local: under multi-table inheritance the other columns are the parent's.
        fields = [f for f in options.local_concrete_fields if f.column is not None]
        columns = [self._column(f, f.column in keys, on_columns.get(f.column, ())) for f in fields]
        schema, name = _split(options.db_table)
        references = [
            each for each in map(self._reference, options.local_fields) if each is not None
        ]
        by_name = {field.name: column for field, column in zip(fields, columns, strict=True)}
        indexes = [
            Index(f"ix_{name}_{'_'.join(columns_)}", *columns_) for columns_ in _indexes(model)
        ]
        Table(
            name,
            self._metadata,
            *columns,
            *references,
            *constraints_of(model, by_name, self._connection),
            *indexes,
            *rule_items,
            schema=schema,
        )

    def _column(
        self, field: Field[Any, Any], is_key: bool, rule_items: Sequence[RuleItem]
    ) -> Column[Any]:
        generated = getattr(field, "generated", False)
        if isinstance(field, Tombstone) and not rule_items:
            # Where others are the people, it stays empty.
            rule_items = [not_personal()]
        return Column(
            field.column,
            column_type(field, self._connection),
            *([Computed("")] if generated else []),
            *rule_items,
            primary_key=is_key,
            nullable=field.null,
            unique=(field.unique and not is_key) or None,
            autoincrement=is_key and "AutoField" in field.get_internal_type(),
        )

    def _reference(self, field: Any) -> ForeignKeyConstraint | None:
        """Return the reference that *field* is, with or without a constraint in the database."""
        if not field.is_relation or not getattr(field, "related_fields", None):
            return None
        pairs = field.related_fields
        target = table_name(pairs[0][1].model)
        if target not in self._models:
            # In another database: nothing to follow, and nothing that this one would check.
            return None
        here = [mine.column for mine, _ in pairs]
        there = [f"{target}.{theirs.column}" for _, theirs in pairs]
        checked = getattr(field, "db_constraint", False)
        # Django's constraints all wait for the commit.
        return ForeignKeyConstraint(
            here,
            there,
            deferrable=True if checked else None,
            initially="DEFERRED" if checked else None,
            info={ENFORCED: checked and bool(field.model._meta.managed)},
        )


def _indexes(model: type[Model]) -> Iterator[list[str]]:
    options = model._meta
    local = {field.name: field.column for field in options.local_concrete_fields}
    for field in options.local_concrete_fields:
        if field.db_index and not field.unique:
            yield [field.column]
    for index in options.indexes:
        names = [name.removeprefix("-") for name in index.fields]
        if names and index.condition is None and all(name in local for name in names):
            yield [local[name] for name in names]
