"""What `manage.py check` says: everything undecided or impossible, with the line to paste."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.core import checks
from django.db import connections
from django.template import TemplateDoesNotExist
from django.template.loader import get_template

from efface.django import settings
from efface.django.page.page_paths import is_included, login_path, own_page
from efface.django.policy.erasers import find_problems, find_user_database, load_eraser
from efface.django.schema.models_to_metadata import Schema
from efface.errors import AutocommitOffError, EffaceError, PolicyError, Problem, SettingsError
from efface.page.consequences import Labels
from efface.policy.did_you_mean import did_you_mean

_SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"


def check_policy(**_: Any) -> list[checks.CheckMessage]:
    """Return a message for each problem; the codes are those of the errors at run time."""
    try:
        labels, alias = settings.page_settings().labels, find_user_database()
        found = [_message(problem) for problem in find_problems(alias)]
        return [*found, *_unknown(labels, load_eraser(alias).schema)]
    except PolicyError as error:
        return [_message(problem) for problem in error.problems]
    except EffaceError as error:
        return [_error(error)]


def check_transactions(**_: Any) -> list[checks.CheckMessage]:
    """Return an error where the end of a block of Django's would commit no closing."""
    alias = find_user_database()
    if connections[alias].settings_dict["AUTOCOMMIT"]:
        return []
    line = f'DATABASES["{alias}"]["AUTOCOMMIT"] = True'
    return [_error(AutocommitOffError(alias), line)]


def check_page(**_: Any) -> list[checks.CheckMessage]:
    """Return what would break the closing page; nothing where the project does not include it."""
    if not is_included():
        return []
    try:
        said = settings.page_settings()
    except SettingsError:
        return []  # `check_policy` says so
    found: list[checks.CheckMessage] = []
    needs = (
        login_path,
        partial(own_page, said.redirect_path),
        _templates,
        partial(_sessions, said),
    )
    for needed in needs:
        try:
            needed()
        except SettingsError as error:
            found.append(_error(error))
    return found


def _templates() -> None:
    for name in (
        "closing",
        "consequences",
        "delete_account_dialog",
        "goodbye",
        "logged_out",
        "message",
        "page",
        "recipients",
    ):
        try:
            get_template(f"efface/{name}.html")
        except TemplateDoesNotExist:
            raise SettingsError(
                f"No engine in TEMPLATES finds efface/{name}.html, so the closing page cannot be "
                'shown: {"BACKEND": "django.template.backends.django.DjangoTemplates", '
                '"APP_DIRS": True}'
            ) from None


def _sessions(said: settings.PageSettings) -> None:
    """Refuse a project in which nobody is ever logged in, as far as Django and we can tell."""
    installed = [*django_settings.MIDDLEWARE]
    # Whatever is not Django's may put a user there, or be sessions of the project's own.
    is_known = all(name.startswith("django.") for name in installed)
    if said.identify is None and is_known and _SESSIONS not in installed:
        raise SettingsError(
            "The closing page finds nobody logged in, because MIDDLEWARE has no sessions and "
            f'EFFACE no IDENTIFY: MIDDLEWARE = ["{_SESSIONS}", ...]'
        )


def _unknown(labels: Labels | None, schema: Schema) -> Iterator[checks.CheckMessage]:
    """Yield an error for each of the project's *words* that names no model or field there is.

    What else it may name, a table, a column or a reason, does not begin like a model.
    """
    applications = {each.label for each in apps.get_app_configs()}
    for name in labels if isinstance(labels, Mapping) else ():
        label, _, rest = name.partition(".")
        if not rest or label not in applications or _is_in_tables(name, schema):
            continue
        models = {each.__name__: each for each in apps.get_app_config(label).get_models(True)}
        wanted, _, named = rest.partition(".")
        model = {each.lower(): model for each, model in models.items()}.get(wanted.lower())
        kind, missing, known = "model", wanted, [*models]
        if model is not None:
            kind, missing = "field", named
            fields = model._meta.local_concrete_fields
            known = [*{each: None for field in fields for each in (field.name, field.column)}]
        if missing and missing not in known:
            hint = did_you_mean(missing, known, listed=12)
            yield _error(SettingsError(f"EFFACE names a {kind} {name} in LABELS.{hint}"))


def _is_in_tables(name: str, schema: Schema) -> bool:
    table, _, column = name.rpartition(".")
    known = schema.metadata.tables
    return name in known or (table in known and column in known[table].columns)


def _error(error: EffaceError, line: str | None = None) -> checks.CheckMessage:
    return checks.Error(error.message(), hint=line, id=f"efface.{error.code}")


def _message(problem: Problem) -> checks.CheckMessage:
    kind = checks.Error if problem.level == "error" else checks.Warning
    return kind(
        problem.text, hint=problem.paste or None, obj=problem.place, id=f"efface.{problem.code}"
    )
