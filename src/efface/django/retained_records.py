"""Refuse deletions by Django that would take records which the policy retains.

A closure deletes rows by SQL, so none of these signals is sent for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.db.models.signals import pre_delete

from efface.django import settings
from efface.django.database.django_connection import sqlalchemy_connection
from efface.django.hiding.user_rows import find_user_rows
from efface.django.policy.erasers import (
    DatabaseEraser,
    find_user_database,
    load_eraser,
    read_primary_key,
    require_eraser,
)
from efface.django.rules import find_rules
from efface.django.schema.models_to_metadata import table_name
from efface.errors import (
    EffaceError,
    MissingTablesError,
    PolicyError,
    RetainedRecordsError,
    SettingsError,
    UnknownSubjectError,
    WrongDatabaseError,
)
from efface.plan.plan import Step
from efface.policy.actions import Delete, Retain


@dataclass(frozen=True)
class _Override:
    actor: str
    reason: str


_override: ContextVar[_Override | None] = ContextVar("efface_retention_override", default=None)


@contextmanager
def override_retention(*, actor: str, reason: str) -> Iterator[None]:
    """Let the block delete users and records that the policy retains, and record why.

    Use it if nothing has to be kept, such as after spam. Each user whose records are deleted gets
    a receipt with the *reason*, in the same transaction.

    Args:
        actor: Who deletes them, such as ``"admin 7"``, never a name.
        reason: Why nothing has to be kept: 1 to 200 characters.

    Example:
        with override_retention(actor="admin 7", reason="spam"):
            user.delete()
    """
    token = _override.set(_Override(actor, reason))
    try:
        yield
    finally:
        _override.reset(token)


def guard_deletions() -> None:
    """Connect the signals of users and of models with `Retain`. Their number is the cost.

    Django deletes rows of a model without signals by one statement.
    """
    users = find_user_rows()
    if users is None:
        return
    records = set(_models_with_records())
    # Of a proxy, Django sends the signal of the proxy alone. Of a parent or a child, that of each.
    for model in apps.get_models(include_auto_created=True):
        if model._meta.concrete_model is users.model._meta.concrete_model:
            pre_delete.connect(_guard_user, sender=model, dispatch_uid="efface.user")
        if model._meta.concrete_model in records:
            pre_delete.connect(_guard_record, sender=model, dispatch_uid="efface.record")


def _models_with_records() -> Iterator[type[Model]]:
    """Yield the models with `Retain`; none if the settings can't be read, which checks report."""
    try:
        said = settings.efface_settings()
        # Only a file needs the whole policy to be read: it names tables.
        named = _tables_with_records() if said.policy is not None else frozenset()
    except EffaceError:
        return
    for model in apps.get_models(include_auto_created=True):
        if model._meta.proxy:
            continue
        rules = find_rules(model) or said.rules_for(model)
        items = rules.row_rules if rules is not None else ()
        if table_name(model) in named or any(
            isinstance(getattr(item, "action", None), Retain) for item in items
        ):
            yield model


def _tables_with_records() -> frozenset[str]:
    policy = load_eraser(find_user_database()).eraser.policy
    return frozenset(
        name
        for name, table_rules in policy.tables.items()
        if any(isinstance(rule.action, Retain) for rule in table_rules.close_rules)
    )


def _guard_user(instance: Model, using: str, **_: Any) -> None:
    def ask(here: DatabaseEraser, bind: Any) -> None:
        key = read_primary_key(here, instance.pk)
        steps = here.eraser.retained(bind, key)
        if steps:
            _require_override(here, bind, key, steps, here.eraser.policy.subject_table.fullname)

    _ask(using, ask)


def _guard_record(instance: Model, using: str, origin: Any = None, **_: Any) -> None:
    options = instance._meta
    table = table_name(options.concrete_model)
    # A composite primary key has several fields.
    fields = getattr(options, "pk_fields", None) or [options.pk]
    key = {field.column: getattr(instance, field.attname) for field in fields}

    def ask(here: DatabaseEraser, bind: Any) -> None:
        for owner in here.eraser.find_closed_owners(bind, table, key):
            if _is_deleted(origin, here, owner):
                continue  # `_guard_user` counts all records of a user who is deleted
            step = Step(table, Delete.word, (), (), (), rows=1, reached=1)
            _require_override(here, bind, owner, (step,), table)

    _ask(using, ask)


def _is_deleted(origin: Any, here: DatabaseEraser, owner: Any) -> bool:
    """Return whether the deletion began at the user with this key: an object or a queryset."""
    model = getattr(origin, "model", type(origin))
    if not (isinstance(model, type) and issubclass(model, here.model)):
        return False
    if isinstance(origin, Model):
        return bool(origin.pk == owner)
    return bool(origin.filter(pk=owner).exists())


NOT_IN_USE = (PolicyError, SettingsError, MissingTablesError, WrongDatabaseError)
"""Errors of a project in which no account can be closed yet, so nothing is retained."""


def _ask(alias: str, question: Callable[[DatabaseEraser, Any], None]) -> None:
    # The user may be unknown because another process has deleted the row.
    with suppress(*NOT_IN_USE, UnknownSubjectError):
        here = require_eraser(alias)
        with sqlalchemy_connection(alias) as bind:
            question(here, bind)


def _require_override(
    here: DatabaseEraser, bind: Any, key: Any, steps: tuple[Step, ...], table: str
) -> None:
    override = _override.get()
    if override is None:
        raise RetainedRecordsError(table, {step.table: step.reached or 0 for step in steps})
    here.eraser.record_deletion(bind, key, steps, actor=override.actor, reason=override.reason)
