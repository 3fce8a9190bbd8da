"""Make the eraser of each database, once in each process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.db import connections, router
from django.db.models import Model, QuerySet
from django.utils import timezone

from efface.django import settings
from efface.django.database.django_connection import get_engine
from efface.django.database.error_hints import add_advice
from efface.django.database.missing_tables import find_missing_tables
from efface.django.database.schema_switching import once_per_schema, require_all_tables
from efface.django.policy.merged_policy import merge_policy
from efface.django.policy.other_databases import find_unreached_models
from efface.django.policy.problems_for_models import is_from_package, translate_problems
from efface.django.schema.models_to_metadata import Schema, models_in
from efface.eraser.blockers import Blockers
from efface.eraser.eraser import Eraser
from efface.errors import (
    Problem,
    SettingsError,
    SubjectKeyError,
    SubjectTableError,
    WrongDatabaseError,
    raise_problems,
)
from efface.policy.policy import Policy
from efface.policy.schema_drift import compare


@dataclass(frozen=True)
class DatabaseEraser:
    """The eraser of one database, with its user model and its schema."""

    eraser: Eraser
    model: type[Model]
    schema: Schema


def find_problems(alias: str) -> list[Problem]:
    """Return the problems of the policy for the database *alias*, in terms of Django models.

    A missing index (W102) of a package's table is left out, because you cannot edit the package.
    """
    database_eraser = load_eraser(alias)
    found = (
        problem
        for problem in database_eraser.eraser.check()
        if problem.code != "W102"
        or not is_from_package(database_eraser.schema.models[problem.table])
    )
    translated = translate_problems(
        found,
        database_eraser.eraser.policy,
        database_eraser.schema,
        settings.efface_settings().rules,
    )
    return [*translated, *find_unreached_models(alias)]


def find_differences(alias: str) -> list[Problem]:
    """Return the differences between the database *alias* and the models.

    A table that has no model and doesn't refer to rows of users is left out.
    """
    here = fit_eraser(alias)
    found = compare(here.eraser.policy, get_engine(alias), others=False)
    fixable = [each for each in found if each.code != "W102"]
    rules = settings.efface_settings().rules
    return translate_problems(fixable, here.eraser.policy, here.schema, rules)


@once_per_schema
def require_eraser(alias: str) -> DatabaseEraser:
    """Return the eraser for the database *alias*, if its policy has no problems.

    Raises:
        PolicyError: a column has no rule, or an action is impossible.
    """
    raise_problems(find_problems(alias))
    return fit_eraser(alias)


@once_per_schema
def fit_eraser(alias: str) -> DatabaseEraser:
    """Return the eraser for the database *alias*, without tables that the database lacks.

    Efface leaves out only unmanaged tables without personal data, such as views.

    Raises:
        EffaceError: as `load_eraser`.
    """
    database_eraser = load_eraser(alias)
    # Separate from `load_eraser`, because the system checks must not query the database.
    missing = find_missing_tables(database_eraser.eraser.policy, database_eraser.schema, alias)
    return _load_eraser(alias, missing) if missing else database_eraser


@once_per_schema
def load_eraser(alias: str) -> DatabaseEraser:
    """Return the eraser for the database *alias*, made once in this process.

    Raises:
        SettingsError: ``EFFACE`` in the settings is missing or has an unknown value.
        RulesError: the rules of the models name something that does not exist.
        PolicyError: no model has data_subject(), or several have it.
    """
    return _load_eraser(alias, frozenset())


def _load_eraser(alias: str, without: frozenset[str]) -> DatabaseEraser:
    found = settings.efface_settings()
    policy, schema = merge_policy(alias, found, without=without)
    try:
        table = policy.subject_table
    except SubjectTableError as error:
        raise SubjectTableError(
            translate_problems(error.problems, policy, schema, found.rules)
        ) from None
    model = schema.models[table.fullname]
    return DatabaseEraser(_make_eraser(policy, found, model, alias), model, schema)


def _make_eraser(
    policy: Policy, said: settings.EffaceSettings, model: type[Model], alias: str
) -> Eraser:
    def clock() -> datetime:
        moment = said.clock()
        if django_settings.USE_TZ:
            return moment
        # Without USE_TZ Django stores local time, in which one hour a year occurs twice. Return the
        # moment that Django will read back, so the receipt and the database agree.
        again: datetime = timezone.make_aware(timezone.make_naive(moment).replace(fold=0))
        return again

    return Eraser(policy, secret=said.secret, blockers=_find_blockers(model, alias), clock=clock)


def _find_blockers(model: type[Model], alias: str) -> Blockers | None:
    """Return what the settings say, as the engine calls it; None makes batches one closure."""
    try:
        blockers = settings.page_settings().blockers
    except SettingsError:  # the system checks report it, and the page does
        return None
    if blockers is None:
        return None
    return lambda _, key: blockers(find_locked(model, alias, key))


def find_locked(model: type[Model], alias: str, key: Any) -> Model:
    """Return the user with this primary key, for a function that says what blocks."""
    # The base manager, because a project's default manager may hide the user. Without its filter,
    # because it may hide users, too.
    return QuerySet(model, using=alias).get(pk=key)


def find_user_database() -> str:
    """Return the database to which the routers write users. Accounts are closed there."""
    from django.contrib.auth import get_user_model  # noqa: PLC0415  # needs the models loaded

    # Read replicas cannot close accounts, so ask the routers for the database to write to.
    alias: str = router.db_for_write(get_user_model())
    return alias


def require_users(alias: str) -> str:
    """Return *alias*, if this database has the user table.

    Raises:
        WrongDatabaseError: the users are not in this database.
        HiddenTablesError: the users are there, and tables with their rows are in other schemas.
    """
    from django.contrib.auth import get_user_model  # noqa: PLC0415  # needs the models loaded

    model = get_user_model()
    if alias not in connections or model._meta.concrete_model not in models_in(alias):
        known = [each for each in connections if model in models_in(each)]
        raise WrongDatabaseError(alias, model._meta.label, known)
    require_all_tables(alias)
    return alias


def read_primary_key(database_eraser: DatabaseEraser, user: Any) -> Any:
    """Return the primary key of *user*, an instance or a value, in the type of its field.

    Raises:
        SubjectKeyError: *user* is an instance of another model, or a value of another type.
    """
    label = database_eraser.model._meta.label
    if isinstance(user, Model):
        if not isinstance(user, database_eraser.model):
            raise _key_error(database_eraser, f"that of {label}", f"that of {user._meta.label}")
        return user.pk
    try:
        return database_eraser.model._meta.pk.to_python(user)
    except ValidationError:
        kind = database_eraser.model._meta.pk.get_internal_type()
        raise _key_error(
            database_eraser, (f"of type {kind}"), f"of type {type(user).__name__}"
        ) from None


def _key_error(database_eraser: DatabaseEraser, expected: str, got: str) -> SubjectKeyError:
    error = SubjectKeyError(database_eraser.eraser.policy.subject_table.fullname, expected, got)
    add_advice(error)
    return error
