"""Add to errors of the engine what to do in a Django project."""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS

from efface.errors import EffaceError

BLOCK = """

      with transaction.atomic({using}), sqlalchemy_connection("{alias}") as bind:
          {line}"""
COMMANDS = {
    "E406": "Pass the primary key of a row, or in Python an object of the model.",
    "E407": (
        "Compare the rules with the constraints of the models: manage.py efface check{database}. "
        "If it finds nothing, the constraint is in the database only."
    ),
    "E409": (
        "Update the database: manage.py makemigrations, and then: manage.py migrate{database}"
    ),
    "E501": "Create it: manage.py migrate{database}",
}
ADOPT = '\n\n      from efface.django import adopt\n      adopt(pk, actor="..."{using})'
LINES = {
    "E415": "eraser({alias}).finalize(bind, eraser({alias}).get_receipt(bind, reference))",
}
"""Methods of the engine, which need Django's transaction around them."""


def add_advice(error: EffaceError, alias: str = DEFAULT_DB_ALIAS) -> None:
    """Set the advice of *error* to a command or lines for Django and the database *alias*."""
    is_default = alias == DEFAULT_DB_ALIAS
    if error.code in COMMANDS:
        database = "" if is_default else f" --database {alias}"
        error.advice = COMMANDS[error.code].format(database=database)
    elif error.code in ("E404", "E416"):
        error.advice = ADOPT.format(using="" if is_default else f', using="{alias}"')
    elif error.code in LINES:
        line = LINES[error.code].format(alias="" if is_default else f'"{alias}"')
        using = "" if is_default else f'using="{alias}"'
        error.advice = BLOCK.format(using=using, alias=alias, line=line)
