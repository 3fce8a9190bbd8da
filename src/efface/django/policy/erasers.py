"""The eraser of each database, made once in this process, and whose rows are people there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.db import connections, router
from django.db.models import Model
from django.utils import timezone

from efface.django import settings
from efface.django.database.django_connection import engine
from efface.django.database.error_hints import advise
from efface.django.database.missing_tables import absent
from efface.django.policy.merged_policy import policy_of
from efface.django.policy.problems_for_models import in_django, is_foreign
from efface.django.schema.models_to_metadata import Schema, models_in
from efface.eraser.eraser import Eraser
from efface.errors import (
    Problem,
    SubjectKeyError,
    SubjectTableError,
    WrongDatabaseError,
    raise_problems,
)
from efface.policy.policy import Policy
from efface.policy.schema_drift import compare


@dataclass(frozen=True)
class DatabaseEraser:
    """The eraser of one database, and the model whose rows are people."""

    eraser: Eraser
    model: type[Model]
    schema: Schema


def find_problems(alias: str) -> list[Problem]:
    """Return what is undecided or impossible in the database *alias*, in the words of Django.

    That a table of somebody else's package lacks an index is left out: nobody can mend it here.
    """
    here = load_eraser(alias)
    found = (
        problem
        for problem in here.eraser.check()
        if problem.code != "W102" or not is_foreign(here.schema.models[problem.table])
    )
    return in_django(found, here.eraser.policy, here.schema, settings.efface_settings().rules)


def find_differences(alias: str) -> list[Problem]:
    """Return where the database *alias* differs from the models, in the words of Django.

    A table that no model has, and that does not refer to rows of users, is left out.
    """
    here = fit_eraser(alias)
    found = compare(here.eraser.policy, engine(alias), others=False)
    fixed = [each for each in found if each.code != "W102"]
    return in_django(fixed, here.eraser.policy, here.schema, settings.efface_settings().rules)


@cache
def require_eraser(alias: str) -> DatabaseEraser:
    """Return the eraser for the database *alias*, once it can close accounts.

    Raises:
        PolicyError: something is undecided or impossible.
    """
    raise_problems(find_problems(alias))
    return fit_eraser(alias)


@cache
def fit_eraser(alias: str) -> DatabaseEraser:
    """Return the eraser for the database *alias*, without unrelated tables that it does not have.

    Raises:
        EffaceError: as `ready`.
    """
    here = load_eraser(alias)
    missing = absent(here.eraser.policy, here.schema, alias)
    return _load_eraser(alias, missing) if missing else here


@cache
def load_eraser(alias: str) -> DatabaseEraser:
    """Return the eraser for the database *alias*, made once in this process.

    Raises:
        SettingsError: ``EFFACE`` in the settings is missing or not understood.
        RulesError: the rules of the models name what does not exist.
        PolicyError: no model, or several, are marked with data_subject().
    """
    return _load_eraser(alias, frozenset())


def _load_eraser(alias: str, without: frozenset[str]) -> DatabaseEraser:
    found = settings.efface_settings()
    policy, schema = policy_of(alias, found, without=without)
    try:
        table = policy.subject_table
    except SubjectTableError as error:
        raise SubjectTableError(in_django(error.problems, policy, schema, found.rules)) from None
    return DatabaseEraser(_eraser(policy, found), schema.models[table.fullname], schema)


def _eraser(policy: Policy, said: settings.EffaceSettings) -> Eraser:
    def clock() -> datetime:
        moment = said.clock()
        if django_settings.USE_TZ:
            return moment
        # As it will be read again: without USE_TZ one hour a year is written like the next.
        again: datetime = timezone.make_aware(timezone.make_naive(moment).replace(fold=0))
        return again

    return Eraser(policy, secret=said.secret, clock=clock)


def find_user_database() -> str:
    """Return the database in which accounts are closed: where routers write users."""
    from django.contrib.auth import get_user_model  # noqa: PLC0415  # needs the models loaded

    alias: str = router.db_for_write(get_user_model())
    return alias


def require_users(alias: str) -> str:
    """Return *alias*, once it is known to be a database that has the people.

    Raises:
        WrongDatabaseError: the people are not in this database.
    """
    from django.contrib.auth import get_user_model  # noqa: PLC0415  # needs the models loaded

    model = get_user_model()
    if alias not in connections or model._meta.concrete_model not in models_in(alias):
        known = [each for each in connections if model in models_in(each)]
        raise WrongDatabaseError(alias, model._meta.label, known)
    return alias


def read_primary_key(here: DatabaseEraser, user: Any) -> Any:
    """Return the primary key of *user* as the engine takes it."""
    label = here.model._meta.label
    if isinstance(user, Model):
        if not isinstance(user, here.model):
            raise _no_key(here, f"that of {label}", f"that of {user._meta.label}")
        return user.pk
    try:
        return here.model._meta.pk.to_python(user)
    except ValidationError:
        kind = here.model._meta.pk.get_internal_type()
        raise _no_key(here, f"of {kind}", f"of {type(user).__name__}") from None


def _no_key(here: DatabaseEraser, expected: str, got: str) -> SubjectKeyError:
    error = SubjectKeyError(here.eraser.policy.subject_table.fullname, expected, got)
    advise(error)
    return error
