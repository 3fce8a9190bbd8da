"""Find out what a closure would do to one user, what blocks it, and what proof it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest

from efface.django import settings
from efface.django.database.django_connection import sqlalchemy_connection
from efface.django.page.active_language import language
from efface.django.page.recent_logins import is_recent
from efface.django.policy.erasers import (
    DatabaseEraser,
    find_user_database,
    read_primary_key,
    require_eraser,
)
from efface.django.schema.models_to_metadata import Schema, table_name
from efface.page.blockers import Blocker, require_blockers
from efface.page.consequences import Consequences, PolicyTexts, labels_in
from efface.page.identity_proof import Proof


@dataclass(frozen=True)
class AccountFacts:
    """What the page says about one user, in the active language."""

    consequences: Consequences
    blockers: tuple[Blocker, ...]
    proof: Proof


def facts_of(request: HttpRequest) -> AccountFacts:
    """Return the facts about the logged-in user; reads only."""
    user, alias = request.user, find_user_database()
    here, blockers = require_eraser(alias), settings.page_settings().blockers
    with transaction.atomic(using=alias):
        with sqlalchemy_connection(alias) as bind:
            steps = here.eraser.preview(bind, read_primary_key(here, user))
        found = require_blockers(blockers(user)) if blockers is not None else ()
    return AccountFacts(policy_texts(here).consequences(steps), found, proof_of(request))


def proof_of(request: HttpRequest) -> Proof:
    """Return the proof that the logged-in user needs."""
    if has_password(request.user):
        return Proof.PASSWORD
    return Proof.RECENT_LOGIN if is_recent(request) else Proof.LOG_IN_AGAIN


def has_password(user: Any) -> bool:
    """Tell whether *user* has a usable password."""
    is_usable = getattr(user, "has_usable_password", None)
    # Django calls an empty password usable, and a project's own model may have no password.
    return bool(is_usable is not None and is_usable() and user.password)


def policy_texts(here: DatabaseEraser) -> PolicyTexts:
    """Return the policy's texts in the active language."""
    page, speaks = settings.page_settings(), language()
    labels = {**_verbose(here.schema), **_in_tables(labels_in(page.labels, speaks))}
    return PolicyTexts(here.eraser.policy, labels, speaks, page.recipients)


def _verbose(schema: Schema) -> dict[str, str]:
    """Return the verbose names of models and fields."""
    labels = {}
    for table, model in schema.models.items():
        labels[table] = str(model._meta.verbose_name_plural)
        for field in model._meta.local_concrete_fields:
            labels[f"{table}.{field.column}"] = str(field.verbose_name)
    return labels


def _in_tables(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the project's *labels*, which name models and fields, by table and column."""
    return {_in_table(name): label for name, label in labels.items()}


def _in_table(name: str) -> str:
    label, _, rest = name.partition(".")
    model_name, _, field = rest.partition(".")
    try:
        model: type[Model] = apps.get_model(label, model_name)
    except (LookupError, ValueError):
        return name  # a reason, or a table by its own name
    table = table_name(model)
    if not field:
        return table
    columns = {each.name: each.column for each in model._meta.local_concrete_fields}
    return f"{table}.{columns.get(field, field)}"
