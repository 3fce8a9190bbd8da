"""Connections that switch between schemas, as with one schema for each tenant."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, update_wrapper
from typing import Generic, TypeVar

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connections, router

from efface.django import settings
from efface.django.rules import find_rules
from efface.django.schema.models_to_metadata import models_in
from efface.errors import HiddenTablesError
from efface.policy.declarations import CloseRule

T = TypeVar("T")


def switches_schemas(alias: str) -> bool:
    """Return whether the connection selects a schema, as those of django-tenants do."""
    return hasattr(connections[alias], "set_schema")


class once_per_schema(Generic[T]):  # noqa: N801  # a decorator
    """Call a function once for each alias, and again where a schema has other tables."""

    def __init__(self, make: Callable[[str], T]) -> None:
        """Take the function, which makes something for an alias."""
        self._made = cache(lambda alias, _tables: make(alias))
        update_wrapper(self, make)

    def __call__(self, alias: str) -> T:
        """Return what was made for *alias* and the tables that the routers have now."""
        tables = None
        if switches_schemas(alias):
            tables = frozenset(model._meta.label for model in models_in(alias))
        found: T = self._made(alias, tables)
        return found

    def cache_clear(self) -> None:
        """Forget everything, as a function under `functools.cache` does."""
        self._made.cache_clear()


def require_all_tables(alias: str) -> None:
    """Refuse a schema in which the routers hide tables that belong to users.

    Raises:
        HiddenTablesError: models with rules, or with references to users, are in no database now.
    """
    if not switches_schemas(alias):
        return
    user, said = get_user_model(), settings.efface_settings()
    hidden = []
    for model in apps.get_models(include_auto_created=True):
        if model._meta.proxy or any(router.allow_migrate_model(a, model) for a in connections):
            continue
        rules = find_rules(model) or said.rules_for(model)
        row_rules = rules.row_rules if rules is not None else ()
        refers = any(field.related_model is user for field in model._meta.local_fields)
        if refers or any(isinstance(rule, CloseRule) for rule in row_rules):
            hidden.append(model._meta.label)
    if hidden:
        raise HiddenTablesError(alias, sorted(hidden))
