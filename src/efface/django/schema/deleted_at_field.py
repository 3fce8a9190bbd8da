"""The field that marks closed accounts, in a user model that one does not own.

Django's stock ``auth.User`` has no such field, and no project can edit its class. So the field is
given to it when it is made, and a migration of this application adds the column: those of
``django.contrib.auth`` stay as they come.
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

NAME = "deleted_at"
STOCK = "auth.User"


class Tombstone(DateTimeField):
    """When the account was closed; empty while it is open. No form shows it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what a column needs; the rest is the same for all."""
        super().__init__(*args, **{**options, "null": True, "blank": True, "editable": False})


@cache
def label() -> str | None:
    """Return the label of the model that is given the field, or None.

    It is the stock user where the project has that one and says nothing else of its people,
    unless ``EFFACE["USER_MODEL"]`` names another model, such as one of a package, or None.
    """
    said = getattr(settings, "EFFACE", None)
    said = said if isinstance(said, Mapping) else {}
    if "USER_MODEL" in said:
        found = said["USER_MODEL"]
        return found if isinstance(found, str) else None
    is_stock = settings.AUTH_USER_MODEL.lower() == STOCK.lower()
    return STOCK if is_stock and _are_stock_users(said) else None


def _are_stock_users(said: Mapping[str, Any]) -> bool:
    """Return whether the people are the stock users, and their rows stay, as far as is said."""
    people = dict(_in_settings(said.get("RULES", {})))
    for table, rule in subjects_in_file(said.get("POLICY")).items():
        people[STOCK if table == "auth_user" else table] = rule
    return not people or (STOCK in people and not isinstance(people[STOCK].action, Delete))


def _in_settings(rules: Mapping[str, Any]) -> Iterator[tuple[str, SubjectRule]]:
    for place, said in rules.items():
        for rule in getattr(said, "row_rules", (getattr(said, "rule", None),)):
            if isinstance(rule, SubjectRule):
                yield STOCK if place.lower() == STOCK.lower() else place, rule


def subjects_in_file(path: str | Path | None) -> dict[str, SubjectRule]:
    """Return what a policy file says about who the people are, by table.

    What is wrong with the file is for the checks to say.
    """
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
            Delete() if said.get("action") == "Delete" else Redact(),
            deleted_at=said.get("deleted_at", NAME),
        )
        for name, said in subjects.items()
    }


def add_deleted_at(sender: type[Model], **_: Any) -> None:
    """Give the field to the model that has just been made, if it is that one."""
    options = sender._meta
    # The models of migrations have it from the migration that adds it.
    if options.apps is not apps or options.label_lower != (label() or "").lower():
        return
    if NAME not in {field.name for field in options.local_fields}:
        Tombstone().contribute_to_class(sender, NAME)
