"""Translate the names in `Rules`, which are those of Django's fields, to columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from django.apps import apps
from django.db.models import Model
from sqlalchemy import Column, Table

from efface.django.rules import Rules, TableRule
from efface.errors import Problem
from efface.policy.actions import Retain
from efface.policy.declarations import (
    ColumnRule,
    NoPersonalDataRule,
    RuleItem,
    SubjectRule,
)
from efface.policy.did_you_mean import did_you_mean
from efface.policy.relationships import Generic, MatchBy, OwnedBy, Via

TERMS = ("closing", "calendar-year-end")
# As a path names the relationship of the table in between, if that is no foreign key.
_MATCH = re.compile(r"(\w+) = ([\w.]+)")
_GENERIC = re.compile(r"(\w+) where (\w+) = (.+)")


def map_columns(model: type[Model]) -> dict[str, str]:
    """Return the columns of the model's own table by each name that Django has for them."""
    # Names of fields last, because the column of one field may have the name of another field.
    known: dict[str, str] = {}
    for field in model._meta.local_concrete_fields:
        if field.column is not None:
            known |= {field.column: field.column, field.attname: field.column}
    for field in model._meta.local_concrete_fields:
        if field.column is not None:
            known[field.name] = field.column
    return known


class NameResolver:
    """Translate names in the rules of one model to names of the database."""

    def __init__(
        self, model: type[Model], table_name: Callable[[type[Model]], str], table: str
    ) -> None:
        """Look up names in *model*. Problems name *table*."""
        self._model, self._table_name, self._table = model, table_name, table
        self._columns = map_columns(model)
        self.problems: list[Problem] = []

    def resolve_column(self, name: str) -> str:
        """Return the column of a field. An unknown name adds a problem and stays unchanged."""
        if name not in self._columns:
            fields = [field.name for field in self._model._meta.local_concrete_fields]
            label = self._model._meta.label
            text = f"{name} is not a field of {label}.{did_you_mean(name, fields, listed=12)}"
            self.problems.append(Problem("E606", self._table, name, text))
        return self._columns.get(name, name)

    def resolve_rule(self, rule: TableRule) -> TableRule:
        """Return *rule* with names of the database."""
        if isinstance(rule, NoPersonalDataRule):
            return rule
        identifiers = tuple(map(self.resolve_column, rule.identifiers))
        not_personal = tuple(map(self.resolve_column, rule.not_personal))
        if isinstance(rule, SubjectRule):
            deleted_at = self._columns.get(rule.deleted_at, rule.deleted_at)
            return replace(
                rule, identifiers=identifiers, not_personal=not_personal, deleted_at=deleted_at
            )
        action = rule.action
        if isinstance(action, Retain) and action.start not in TERMS:
            action = replace(action, start=self.resolve_column(action.start))
        via = self.resolve_via(rule.via)
        return replace(
            rule, action=action, via=via, identifiers=identifiers, not_personal=not_personal
        )

    def resolve_column_rule(self, rule: ColumnRule) -> ColumnRule:
        """Return *rule* with names of the database."""
        return rule if rule.via is None else replace(rule, via=self.resolve_via(rule.via))

    def resolve_via(self, via: Via) -> Via:
        """Return a relationship with names of the database."""
        if isinstance(via, tuple):
            return tuple(map(self.resolve_column, via))
        if not isinstance(via, str):
            return self._resolve_criterion(via)
        # Resolve a path model by model, because each name belongs to the model before it.
        if (named := self._resolve_named(via)) is not None:
            return named
        first, _, onward = via.partition(".")
        column = self.resolve_column(first)
        if not onward:
            return column
        target = next(
            (
                field.target_field.model
                for field in self._model._meta.local_concrete_fields
                if field.column == column and field.is_relation
            ),
            None,
        )
        if target is None:
            return f"{column}.{onward}"
        target_resolver = NameResolver(target, self._table_name, self._table)
        rest = target_resolver.resolve_via(onward)
        self.problems += target_resolver.problems
        return f"{column}.{rest}"

    def _resolve_named(self, via: str) -> str | None:
        """Return the name of a relationship other than a foreign key, as E202 writes it."""
        if found := _MATCH.fullmatch(via):
            return f"{self.resolve_column(found[1])} = {self._resolve_place(found[2])}"
        if found := _GENERIC.fullmatch(via):
            columns = map(self.resolve_column, (found[1], found[2]))
            return "{} where {} = {}".format(*columns, found[3])
        if via.startswith("(") and via.endswith(")"):
            return f"({', '.join(self.resolve_column(each) for each in via[1:-1].split(', '))})"
        return None

    def _resolve_criterion(self, via: MatchBy | OwnedBy | Generic) -> Via:
        if isinstance(via, MatchBy):
            return replace(
                via, column=self.resolve_column(via.column), equals=self._resolve_place(via.equals)
            )
        if isinstance(via, OwnedBy):
            return OwnedBy(by=self._resolve_place(via.by))
        return Generic(
            self.resolve_column(via.type_column),
            self.resolve_column(via.id_column),
            self._resolve_type(via),
        )

    def _resolve_type(self, via: Generic) -> str | tuple[str, ...]:
        """Return the type in a generic foreign key, as content types store it if it refers to them.

        Rows about a user can name a proxy or a multi-table subclass too, as the admin's log does.
        So the result contains each model that shares its primary key with the named one.
        """
        fields = {each.name: each for each in self._model._meta.local_concrete_fields}
        if via.type_column not in fields or not fields[via.type_column].is_relation:
            return via.type
        named = [each for name in via.names if (each := self._find_model(name, via)) is not None]
        if len(named) < len(via.names):
            return via.type
        roots = {find_root_model(model) for model in named}
        kinds = [
            each._meta.label_lower for each in apps.get_models() if find_root_model(each) in roots
        ]
        return kinds[0] if len(kinds) == 1 else tuple(sorted(kinds))

    def _find_model(self, name: str, via: Generic) -> type[Model] | None:
        # A rule may name a model without its app, if only one model has this name.
        known: dict[str, type[Model]] = {m._meta.label_lower: m for m in apps.get_models()}
        label_sought = name.lower()
        found = [each for each in known if label_sought in (each, each.partition(".")[2])]
        if len(found) == 1:
            return known[found[0]]
        labels = [model._meta.label for model in apps.get_models()]
        text = f"{name} is not the label of a model.{did_you_mean(name, labels)}"
        self.problems.append(Problem("E606", self._table, via.type_column, text))
        return None

    def _resolve_place(self, place: str) -> str:
        """Return ``app.Model.field`` or ``table.field`` as ``table.column``."""
        left, _, name = place.rpartition(".")
        for model in apps.get_models(include_auto_created=True):
            if not model._meta.proxy and left in (model._meta.label, self._table_name(model)):
                target_resolver = NameResolver(model, self._table_name, self._table)
                column = target_resolver.resolve_column(name)
                self.problems += target_resolver.problems
                return f"{self._table_name(model)}.{column}"
        return place


def resolve_rules(
    rules: Rules, names: NameResolver
) -> tuple[list[RuleItem], dict[str, list[RuleItem]]]:
    """Return the rules of a table, and the rules of its columns by name."""
    columns: dict[str, list[RuleItem]] = {}
    for name, row_rules in _iterate_column_rules(rules, names):
        columns.setdefault(name, []).extend(RuleItem(rule, Column) for rule in row_rules)
    return [RuleItem(names.resolve_rule(rule), Table) for rule in rules.row_rules], columns


def _iterate_column_rules(
    rules: Rules, names: NameResolver
) -> Iterator[tuple[str, list[ColumnRule]]]:
    for name, said in rules.personal.items():
        yield names.resolve_column(name), [names.resolve_column_rule(rule) for rule in said]
    for name in rules.not_personal:
        yield names.resolve_column(name), [ColumnRule(None)]


def find_root_model(model: type[Model]) -> type[Model]:
    """Return the model that the primary key of *model* comes from."""
    model = model._meta.concrete_model
    while getattr(model._meta.pk.remote_field, "parent_link", False):
        model = model._meta.pk.related_model
    return model
