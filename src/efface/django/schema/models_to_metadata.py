"""Convert Django's models to a SQLAlchemy MetaData, which the stages use as the schema.

Models are the source, not the database, because they know references without a constraint.
`efface.policy.schema_drift` compares models with a live schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateField, Field, Model
from sqlalchemy import Column, Computed, ForeignKeyConstraint, Index, MetaData, Table, func

from efface.catalog.metadata import ENFORCED, ON_DELETE, UNMANAGED
from efface.django.field_names import NameResolver, resolve_rules
from efface.django.rules import ATTRIBUTE, Rules, find_invalid_rules
from efface.django.schema.deleted_at_field import DeletedAtField
from efface.django.schema.field_types import column_type
from efface.django.schema.model_constraints import read_constraints
from efface.errors import Problem
from efface.policy.declarations import RuleItem, not_personal

APP_LABEL = "efface"
"""The label of this app. Its table belongs to the engine, so it needs no rules."""
RulesFinder = Callable[[type[Model]], Rules | None]


@dataclass(frozen=True)
class Schema:
    """The tables of one database, the model of each table, and the problems of their rules.

    ``readers`` are further models for a table, whose rules do not count.
    """

    metadata: MetaData
    models: Mapping[str, type[Model]]
    readers: Mapping[str, tuple[type[Model], ...]]
    problems: tuple[Problem, ...]


def read_schema(
    alias: str, get_rules: RulesFinder, *, without: frozenset[str] = frozenset()
) -> Schema:
    """Return the tables of the models in the database *alias*.

    Args:
        alias: The database's name in ``DATABASES``. Routers decide which models it has.
        get_rules: Returns the rules of a model, or None.
        without: Tables to leave out, with the references to them.
    """
    claims: dict[str, list[type[Model]]] = {}
    for model in models_in(alias):
        if table_name(model) not in without:
            claims.setdefault(table_name(model), []).append(model)
    problems = [
        problem
        for name, found in claims.items()
        for problem in (
            *_find_claim_problems(name, found, get_rules),
            *_find_misplaced_rules(name, found),
        )
    ]
    models = {name: _find_owner(found) for name, found in claims.items()}
    readers = {
        name: tuple(model for model in found if model is not models[name])
        for name, found in claims.items()
    }
    metadata = MetaData()
    reader = _SchemaReader(connections[alias], models, metadata, problems)
    for name, model in models.items():
        reader.add_table(name, model, get_rules(model))
    return Schema(metadata, models, readers, tuple(problems))


def models_in(alias: str) -> Iterator[type[Model]]:
    """Yield the models that have a table of their own in the database *alias*."""
    for model in apps.get_models(include_auto_created=True):
        options = model._meta
        if options.proxy or options.swapped or options.app_label == APP_LABEL:
            continue
        if router.allow_migrate_model(alias, model):
            yield model


def table_name(model: type[Model]) -> str:
    """Return the full name of the model's table, as ``table`` or ``schema.table``."""
    schema, name = _split_table_name(model._meta.db_table)
    return f"{schema}.{name}" if schema else name


def _split_table_name(db_table: str) -> tuple[str | None, str]:
    """Return schema and name. Django writes both in one string as ``"schema"."table"``."""
    if '"."' not in db_table:
        return None, db_table.strip('"')
    schema, _, name = db_table.strip('"').partition('"."')
    return schema, name


def _find_owner(found: list[type[Model]]) -> type[Model]:
    # A second, unmanaged model over a managed one's table is a common way to read it.
    return next((model for model in found if model._meta.managed), found[0])


def _find_claim_problems(
    name: str, found: list[type[Model]], get_rules: RulesFinder
) -> Iterator[Problem]:
    """Yield a problem for each table of several models whose rules are ambiguous or ignored."""
    if len(found) > 1 and (sum(bool(m._meta.managed) for m in found) != 1):
        labels = " and ".join(sorted(model._meta.label for model in found))
        text = f"{labels} both use this table, so Efface can't tell whose rules are meant."
        yield Problem(
            "E606", name, None, text, 'Meta.db_table = "..."    # another for one of them'
        )
        return
    owner = _find_owner(found)
    for model in found:
        if model is owner or (rules := get_rules(model)) is None or rules == get_rules(owner):
            continue
        here, there = model._meta.label, owner._meta.label
        text = (
            f"{there} and {here} both use this table. {there} has the rules, because it is "
            f"managed, so Efface would ignore the rules of {here}. Move them:"
        )
        paste = f"efface = Rules(...)    # out of {here} into {there}, with the fields they name"
        yield Problem("E606", name, None, text, paste)


def _find_misplaced_rules(name: str, found: list[type[Model]]) -> Iterator[Problem]:
    """Yield a problem for each ``efface`` attribute that is not `Rules`, or is on a proxy model."""
    for model in found:
        for place, said in find_invalid_rules(model):
            text = f"efface of {place} is not Rules(...), so Efface would ignore it. Write:"
            yield Problem("E606", name, None, text, f"efface = {said}    # in {place}")
    for proxy in apps.get_models():
        options = proxy._meta
        if options.proxy and options.concrete_model in found and ATTRIBUTE in proxy.__dict__:
            here, there = options.label, options.concrete_model._meta.label
            text = f"{here} is a proxy, so Efface would ignore its rules. Move them:"
            paste = f"efface = Rules(...)    # out of {here} into {there}"
            yield Problem("E606", name, None, text, paste)


class _SchemaReader:
    """Convert models to tables of one MetaData, and collect the problems of their names."""

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        models: Mapping[str, type[Model]],
        metadata: MetaData,
        problems: list[Problem],
    ) -> None:
        self._connection, self._models = connection, models
        self._metadata, self._problems = metadata, problems

    def add_table(self, full_name: str, model: type[Model], rules: Rules | None) -> None:
        """Add the table of *model* with its *rules*."""
        options = model._meta
        resolver = NameResolver(model, table_name, full_name)
        rule_items, on_columns = resolve_rules(rules or Rules(), resolver)
        self._problems += resolver.problems
        keys = {f.column for f in getattr(options, "pk_fields", [options.pk])}
        # With multi-table inheritance, the other columns are in the parent's table.
        fields = [f for f in options.local_concrete_fields if f.column is not None]
        columns = [self._column(f, f.column in keys, on_columns.get(f.column, ())) for f in fields]
        schema, name = _split_table_name(options.db_table)
        references = [
            each for each in map(self._reference, options.local_fields) if each is not None
        ]
        by_name = {field.name: column for field, column in zip(fields, columns, strict=True)}
        indexes = [
            Index(f"ix_{name}_{'_'.join(columns_)}", *columns_)
            for columns_ in _iterate_indexes(model)
        ]
        Table(
            name,
            self._metadata,
            *columns,
            *references,
            *read_constraints(model, by_name, self._connection),
            *indexes,
            *rule_items,
            schema=schema,
            info={UNMANAGED: not options.managed},
        )

    def _column(
        self, field: Field[Any, Any], is_key: bool, rule_items: Sequence[RuleItem]
    ) -> Column[Any]:
        generated = getattr(field, "generated", False)
        if isinstance(field, DeletedAtField) and not rule_items:
            # The column of a model that is not the user model is always NULL.
            rule_items = [not_personal()]
        return Column(
            field.column,
            column_type(field, self._connection),
            # The engine needs to know only that it cannot write the column.
            *([Computed("")] if generated else []),
            *rule_items,
            primary_key=is_key,
            default=_default_moment(field),
            nullable=field.null,
            unique=(field.unique and not is_key) or None,
            autoincrement=is_key and "AutoField" in field.get_internal_type(),
        )

    def _reference(self, field: Any) -> ForeignKeyConstraint | None:
        """Return the foreign key of *field*, even if the database has no constraint for it."""
        if not field.is_relation or not getattr(field, "related_fields", None):
            return None
        pairs = field.related_fields
        target = table_name(pairs[0][1].model)
        if target not in self._models:
            # The target is in another database, so no statement can join it.
            return None
        here = [mine.column for mine, _ in pairs]
        there = [f"{target}.{theirs.column}" for _, theirs in pairs]
        checked = getattr(field, "db_constraint", False)
        # DB_CASCADE and its kind are the database's own, from Django 6.1 on. Django itself does
        # what its other values say, in its own deletions only.
        on_delete = field.remote_field.on_delete
        ondelete = getattr(on_delete, "operation", None)
        # Django creates each foreign key as DEFERRABLE INITIALLY DEFERRED.
        return ForeignKeyConstraint(
            here,
            there,
            ondelete=ondelete,
            deferrable=True if checked else None,
            initially="DEFERRED" if checked else None,
            info={
                ENFORCED: checked and bool(field.model._meta.managed),
                # SET(...) returns a function without a name of its own.
                ON_DELETE: ondelete or on_delete.__name__.replace("set_on_delete", "SET"),
            },
        )


def _iterate_indexes(model: type[Model]) -> Iterator[list[str]]:
    options = model._meta
    local = {field.name: field.column for field in options.local_concrete_fields}
    for field in options.local_concrete_fields:
        if field.db_index and not field.unique:
            yield [field.column]
    for index in options.indexes:
        names = [name.removeprefix("-") for name in index.fields]
        if names and index.condition is None and all(name in local for name in names):
            yield [local[name] for name in names]


def _default_moment(field: Field[Any, Any]) -> object:
    """Return a default if Django writes one into a date; the engine needs to know only that."""
    if not isinstance(field, DateField):
        return None
    is_automatic = field.auto_now or field.auto_now_add
    return func.now() if is_automatic or field.get_default() is not None else None
