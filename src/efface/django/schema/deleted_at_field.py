"""Add the ``deleted_at`` field to a user model that the project cannot edit.

Django's built-in ``auth.User`` has no such field, and no project can edit its class. Efface adds
the field when Django creates the class, and a migration of this app adds the column. The migrations
of ``django.contrib.auth`` do not change.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import DateTimeField, Model

from efface.policy.actions import Delete, Redact
from efface.policy.declarations import SubjectRule

FIELD_NAME = "deleted_at"
BUILTIN_USER = "auth.User"


class DeletedAtField(DateTimeField):
    """When the account was closed. NULL means that it is open. No form shows the field."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Accept the options of a field. Those that the field needs always win."""
        super().__init__(*args, **{**options, "null": True, "blank": True, "editable": False})


@cache
def user_model_label() -> str | None:
    """Return the label of the model that Efface adds the field to, or None.

    By default it is the built-in user, if the project uses it and has no other rule with
    data_subject(). ``EFFACE["USER_MODEL"]`` names another model, such as a package's, or None.
    """
    efface_settings = getattr(settings, "EFFACE", None)
    efface_settings = efface_settings if isinstance(efface_settings, Mapping) else {}
    if "USER_MODEL" in efface_settings:
        found = efface_settings["USER_MODEL"]
        return found if isinstance(found, str) else None
    is_builtin_user = settings.AUTH_USER_MODEL.lower() == BUILTIN_USER.lower()
    return BUILTIN_USER if is_builtin_user and _is_builtin_user_kept(efface_settings) else None


def _is_builtin_user_kept(efface_settings: Mapping[str, Any]) -> bool:
    """Return whether the built-in users are the data subjects, and the policy keeps their rows."""
    subjects = dict(_read_subjects_in_settings(efface_settings.get("RULES", {})))
    for table, rule in subjects_in_file(efface_settings.get("POLICY")).items():
        subjects[BUILTIN_USER if table == "auth_user" else table] = rule
    return not subjects or (
        BUILTIN_USER in subjects and not isinstance(subjects[BUILTIN_USER].action, Delete)
    )


def _read_subjects_in_settings(rules: Mapping[str, Any]) -> Iterator[tuple[str, SubjectRule]]:
    for place, rules_or_item in rules.items():
        # The settings accept `Rules(...)` or one rule item.
        for rule in getattr(rules_or_item, "row_rules", (getattr(rules_or_item, "rule", None),)):
            if isinstance(rule, SubjectRule):
                yield BUILTIN_USER if place.lower() == BUILTIN_USER.lower() else place, rule


def subjects_in_file(path: str | Path | None) -> dict[str, SubjectRule]:
    """Return the data_subject rules of a policy file by table. Errors in the file are ignored here.

    The system checks report them.
    """
    # Django is still creating models, so the file cannot be read against a schema yet.
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}
    tables = document.get("tables", {})
    subjects = {
        name: table["data_subject"]
        for name, table in tables.items()
        if isinstance(table, dict) and isinstance(table.get("data_subject"), dict)
    }
    return {
        name: SubjectRule(
            Delete() if subject.get("action") == "Delete" else Redact(),
            deleted_at=subject.get("deleted_at", FIELD_NAME),
        )
        for name, subject in subjects.items()
    }


def add_deleted_at(sender: type[Model], **_: Any) -> None:
    """Add the field to the model that Django has just created, if it is the right one."""
    options = sender._meta
    # Historical models inside migrations get the field from the migration that adds it.
    if options.apps is not apps or options.label_lower != (user_model_label() or "").lower():
        return
    if FIELD_NAME not in {field.name for field in options.local_fields}:
        DeletedAtField().contribute_to_class(sender, FIELD_NAME)
