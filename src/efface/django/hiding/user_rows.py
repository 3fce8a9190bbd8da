"""Find the user model, and each table that has a part of a user's row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet

from efface.django import settings
from efface.django.hiding.include_closed_querysets import with_closed
from efface.django.policy.package_presets import find_builtin_user_rules
from efface.django.rules import find_rules
from efface.django.schema.deleted_at_field import subjects_in_file
from efface.errors import SettingsError
from efface.policy.declarations import SubjectRule

Quote = Callable[[str], str]


@dataclass(frozen=True)
class OpenCondition:
    """The condition that a row of one table does not belong to a closed account.

    *column* is ``deleted_at`` in the user's own table. In the other tables of multi-table
    inheritance, *user_row* is the user's table, its key and its ``deleted_at``, and *column* has
    the same key.
    """

    column: str
    user_row: tuple[str, str, str] | None = None

    def to_sql(self, alias: str, quote: Quote) -> str:
        """Return the condition as SQL for the rows of *alias*."""
        column = f"{quote(alias)}.{quote(self.column)}"
        if self.user_row is None:
            return f"{column} IS NULL"
        table, key, deleted_at = map(quote, self.user_row)
        return (
            f"NOT EXISTS (SELECT 1 FROM {table} efface_user WHERE efface_user.{key} = {column}"  # noqa: S608 - quoted names of tables and columns
            f" AND efface_user.{deleted_at} IS NOT NULL)"
        )


@dataclass(frozen=True)
class UserRows:
    """The user model, its ``deleted_at`` field, and the condition for open accounts by table."""

    model: type[Model]
    deleted_at: Any
    conditions: Mapping[str, OpenCondition]

    def models(self) -> list[type[Model]]:
        """Return the models that have a user's row or a part of it, parent models first."""
        models = apps.get_models(include_auto_created=True)
        concrete = (model for model in models if self.has_rows_in(model) and not model._meta.proxy)
        return sorted(concrete, key=lambda model: len(model.__mro__))

    def has_rows_in(self, model: type[Model] | None) -> bool:
        """Return whether rows of *model* are users, or parts of users."""
        return model is not None and model._meta.db_table in self.conditions

    def has_closed(self, model: type[Model], keys: Sequence[Any], using: str) -> bool:
        """Return whether a row of *model* with one of these *keys* belongs to a closed account."""
        # A parent model does not have the column. The user's row inherits the parent's key.
        owner = model if issubclass(model, self.model) else self.model
        key = model._meta.pk.name if issubclass(self.model, model) else "pk"
        closed = {f"{key}__in": keys, f"{self.deleted_at.name}__isnull": False}
        return bool(with_closed(QuerySet(owner, using=using)).filter(**closed).exists())


def find_user_rows() -> UserRows | None:
    """Return the user model of this project, or None if none has a ``deleted_at`` column."""
    for model, rule in _find_subject_rules():
        # Rules name the field, and a policy file names the column.
        fields = {field.name: field for field in model._meta.local_concrete_fields}
        fields |= {field.column: field for field in model._meta.local_concrete_fields}
        deleted_at = fields.get(rule.deleted_at)
        if deleted_at is not None:
            return UserRows(model, deleted_at, _conditions(model, deleted_at))
    return None


def _find_subject_rules() -> list[tuple[type[Model], SubjectRule]]:
    """Return the models with data_subject(), and their rule.

    Problems in the rules are reported by the system checks, so this function ignores them.
    """
    try:
        efface_settings = settings.efface_settings()
    except SettingsError:
        efface_settings = None
    by_file = subjects_in_file(efface_settings.policy if efface_settings else None)
    found = []
    for model in apps.get_models():
        if model._meta.proxy:
            continue
        rules = find_rules(model) or (efface_settings.rules_for(model) if efface_settings else None)
        row_rules = [
            rule for rule in (rules.row_rules if rules else ()) if isinstance(rule, SubjectRule)
        ]
        # The policy file wins, so its rule is the first.
        if model._meta.db_table in by_file:
            row_rules.insert(0, by_file[model._meta.db_table])
        found += [(model, rule) for rule in row_rules[:1]]
    return found or [
        (model, rule)
        for model in apps.get_models()
        if (rules := find_builtin_user_rules(model)) is not None
        for rule in rules.row_rules
        if isinstance(rule, SubjectRule)
    ]


def _conditions(model: type[Model], deleted_at: Any) -> dict[str, OpenCondition]:
    conditions = {model._meta.db_table: OpenCondition(deleted_at.column)}
    table = model._meta.db_table
    for other in apps.get_models(include_auto_created=True):
        options = other._meta
        if options.proxy or options.db_table in conditions:
            continue
        if issubclass(other, model):
            user_row = (table, model._meta.pk.column, deleted_at.column)
            # A subclass may have its own primary key in addition to the parent link.
            link = options.parents.get(model) or options.pk
            conditions[options.db_table] = OpenCondition(link.column, user_row)
        elif issubclass(model, other):
            link = model._meta.get_ancestor_link(other)
            user_row = (table, link.column, deleted_at.column)
            conditions[options.db_table] = OpenCondition(options.pk.column, user_row)
    return conditions
