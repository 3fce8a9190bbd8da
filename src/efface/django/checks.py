"""Define the system checks: report missing rules and impossible actions, with lines to paste."""

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
    """Return a message for each problem of the policy, with the code of the error at run time.

    Without ``STRICT`` they are warnings, so that a project runs while Efface is introduced. No
    account is closed until they are solved.
    """
    try:
        labels, alias = settings.page_settings().labels, find_user_database()
        found = [_make_message(each, strict=_is_strict()) for each in find_problems(alias)]
        return [*found, *_find_unknown_labels(labels, load_eraser(alias).schema)]
    except PolicyError as error:
        return [_make_message(each, strict=_is_strict()) for each in error.problems]
    except EffaceError as error:
        return [_make_error(error)]


def _is_strict() -> bool:
    return settings.efface_settings().strict


def check_transactions(**_: Any) -> list[checks.CheckMessage]:
    """Return an error if Django would not commit an account closure at the end of a block."""
    alias = find_user_database()
    if connections[alias].settings_dict["AUTOCOMMIT"]:
        return []
    line = f'DATABASES["{alias}"]["AUTOCOMMIT"] = True'
    return [_make_error(AutocommitOffError(alias), line)]


def check_page(**_: Any) -> list[checks.CheckMessage]:
    """Return what would break the closing page, or nothing if the project does not include it."""
    if not is_included():
        return []
    try:
        page_settings = settings.page_settings()
    except SettingsError:
        # `check_policy` reports this error.
        return []
    found: list[checks.CheckMessage] = []
    requirements = (
        login_path,
        partial(own_page, page_settings.redirect_path),
        _require_templates,
        partial(_require_sessions, page_settings),
    )
    # Report all problems together, not one for each run.
    for require in requirements:
        try:
            require()
        except SettingsError as error:
            found.append(_make_error(error))
    return found


def _require_templates() -> None:
    """Require that Django finds each template of the closing page.

    Raises:
        SettingsError: a template is missing.
    """
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
                f"No engine in TEMPLATES finds efface/{name}.html, so the closing page can't be "
                'shown. Add this engine: {"BACKEND": '
                '"django.template.backends.django.DjangoTemplates", "APP_DIRS": True}'
            ) from None


def _require_sessions(page_settings: settings.PageSettings) -> None:
    """Require that a user can be logged in, as far as the settings show.

    Raises:
        SettingsError: there are neither sessions nor ``IDENTIFY``.
    """
    installed = [*django_settings.MIDDLEWARE]
    # Middleware of the project or of a package may add the user or implement sessions.
    is_known = all(name.startswith("django.") for name in installed)
    if page_settings.identify is None and is_known and _SESSIONS not in installed:
        raise SettingsError(
            "The closing page can't tell who is logged in, because MIDDLEWARE has no sessions and "
            f'EFFACE has no IDENTIFY: MIDDLEWARE = ["{_SESSIONS}", ...]'
        )


def _find_unknown_labels(labels: Labels | None, schema: Schema) -> Iterator[checks.CheckMessage]:
    """Yield an error for each of the project's *labels* that names no existing model or field.

    A label may also name a table, a column or a reason. Those do not begin like a model.
    """
    applications = {each.label for each in apps.get_app_configs()}
    for name in labels if isinstance(labels, Mapping) else ():
        label, _, rest = name.partition(".")
        if not rest or label not in applications or _is_in_tables(name, schema):
            continue
        models = {each.__name__: each for each in apps.get_app_config(label).get_models(True)}
        model_name, _, named = rest.partition(".")
        model = {each.lower(): model for each, model in models.items()}.get(model_name.lower())
        kind, missing, known = "model", model_name, [*models]
        if model is not None:
            kind, missing = "field", named
            fields = model._meta.local_concrete_fields
            known = [*{each: None for field in fields for each in (field.name, field.column)}]
        if missing and missing not in known:
            hint = did_you_mean(missing, known, listed=12)
            yield _make_error(
                SettingsError(f"EFFACE names an unknown {kind} {name} in LABELS.{hint}")
            )


def _is_in_tables(name: str, schema: Schema) -> bool:
    table, _, column = name.rpartition(".")
    known = schema.metadata.tables
    return name in known or (table in known and column in known[table].columns)


def _make_error(error: EffaceError, line: str | None = None) -> checks.CheckMessage:
    return checks.Error(error.message(), hint=line, id=f"efface.{error.code}")


def _make_message(problem: Problem, *, strict: bool) -> checks.CheckMessage:
    kind = checks.Error if strict and problem.level == "error" else checks.Warning
    return kind(
        problem.text, hint=problem.paste or None, obj=problem.place, id=f"efface.{problem.code}"
    )
