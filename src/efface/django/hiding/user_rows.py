"""The model whose rows are people, and every table that a person's row spreads over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet

from efface.django import settings
from efface.django.hiding.include_closed_querysets import asking
from efface.django.policy.package_presets import stock_user
from efface.django.rules import rules_of
from efface.django.schema.deleted_at_field import subjects_in_file
from efface.errors import SettingsError
from efface.policy.declarations import SubjectRule

Quote = Callable[[str], str]


@dataclass(frozen=True)
class IsOpen:
    """The condition that a row of one table belongs to no closed account.

    *column* is the tombstone in the person's own table. Elsewhere, under multi-table inheritance,
    *person* says where the tombstone is: table, key, tombstone, and the column here with that key.
    """

    column: str
    person: tuple[str, str, str] | None = None

    def sql(self, alias: str, quote: Quote) -> str:
        """Return the condition for the rows of *alias*."""
        here = f"{quote(alias)}.{quote(self.column)}"
        if self.person is None:
            return f"{here} IS NULL"
        table, key, deleted_at = map(quote, self.person)
        return (
            f"NOT EXISTS (SELECT 1 FROM {table} efface_person WHERE efface_person.{key} = {here}"  # noqa: S608 - quoted names of tables and columns
            f" AND efface_person.{deleted_at} IS NOT NULL)"
        )


@dataclass(frozen=True)
class People:
    """The model of people, its field that marks closed accounts, and the conditions by table."""

    model: type[Model]
    deleted_at: Any
    conditions: Mapping[str, IsOpen]

    def models(self) -> list[type[Model]]:
        """Return the models whose rows are, or are parts of, people's, an ancestor first."""
        found = apps.get_models(include_auto_created=True)
        concrete = (model for model in found if self.is_here(model) and not model._meta.proxy)
        return sorted(concrete, key=lambda model: len(model.__mro__))

    def is_here(self, model: type[Model] | None) -> bool:
        """Return whether rows of *model* are, or are parts of, people's."""
        return model is not None and model._meta.db_table in self.conditions

    def has_closed(self, model: type[Model], keys: Sequence[Any], using: str) -> bool:
        """Return whether a row of *model* with one of these *keys* is a closed account's."""
        # The row of an ancestor has no tombstone; the person's row inherits the ancestor's key.
        owner = model if issubclass(model, self.model) else self.model
        key = model._meta.pk.name if issubclass(self.model, model) else "pk"
        closed = {f"{key}__in": keys, f"{self.deleted_at.name}__isnull": False}
        return bool(asking(QuerySet(owner, using=using)).filter(**closed).exists())


def people() -> People | None:
    """Return the people of this project; None where nobody is, or closing leaves no tombstone."""
    for model, rule in _marked():
        fields = {field.name: field for field in model._meta.local_concrete_fields}
        fields |= {field.column: field for field in model._meta.local_concrete_fields}
        deleted_at = fields.get(rule.deleted_at)
        if deleted_at is not None:
            return People(model, deleted_at, _conditions(model, deleted_at))
    return None


def _marked() -> list[tuple[type[Model], SubjectRule]]:
    """Return the models with data_subject(); what is wrong with the rules is for the checks."""
    try:
        said = settings.efface_settings()
    except SettingsError:
        said = None
    by_file = subjects_in_file(said.policy if said else None)
    found = []
    for model in apps.get_models():
        if model._meta.proxy:
            continue
        rules = rules_of(model) or (said.of(model) if said else None)
        row_rules = [
            rule for rule in (rules.row_rules if rules else ()) if isinstance(rule, SubjectRule)
        ]
        if model._meta.db_table in by_file:
            row_rules.insert(0, by_file[model._meta.db_table])
        found += [(model, rule) for rule in row_rules[:1]]
    return found or [
        (model, rule)
        for model in apps.get_models()
        if (rules := stock_user(model)) is not None
        for rule in rules.row_rules
        if isinstance(rule, SubjectRule)
    ]


def _conditions(model: type[Model], deleted_at: Any) -> dict[str, IsOpen]:
    found = {model._meta.db_table: IsOpen(deleted_at.column)}
    table = model._meta.db_table
    for other in apps.get_models(include_auto_created=True):
        options = other._meta
        if options.proxy or options.db_table in found:
            continue
        if issubclass(other, model):
            person = (table, model._meta.pk.column, deleted_at.column)
            # A child may have a key of its own beside the link.
            link = options.parents.get(model) or options.pk
            found[options.db_table] = IsOpen(link.column, person)
        elif issubclass(model, other):
            link = model._meta.get_ancestor_link(other)
            person = (table, link.column, deleted_at.column)
            found[options.db_table] = IsOpen(options.pk.column, person)
    return found
