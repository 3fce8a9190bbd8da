"""Problems of a policy in the words of Django: models, fields, and lines to paste beside them."""

from __future__ import annotations

from dataclasses import replace

from django.apps import apps
from django.db.models import Model

from efface.django.schema import Schema
from efface.errors import Problem

TABLE = "__table_args__ = ("
TOMBSTONE = "models.DateTimeField(null=True, blank=True)"


def in_django(problem: Problem, schema: Schema) -> Problem:
    """Return *problem* as one mends it in Django; place and code stay."""
    model = schema.models.get(problem.table)
    if model is None:
        paste = problem.paste
        if paste.startswith(TABLE):
            paste = f"efface = Rules({_inner(paste)})    # in the model whose rows are people"
        return replace(problem, paste=paste)
    text, paste = problem.text, problem.paste
    name = _field(model, problem.column)
    if problem.code == "E101" and name is None:
        paste = _place(model, _inner(paste))
    elif problem.code == "E101" and name is not None:
        text = f"{name} is undecided. Give the Rules of {model._meta.label} one of these:"
        paste = "\n".join(_for_field(line, name) for line in paste.splitlines())
    elif problem.code == "E105" and problem.column not in _columns(model):
        paste = _tombstone(model, problem.column)
    elif problem.code == "W102":
        paste = f"{name} = models....(db_index=True)    # in {model._meta.label}"
    return replace(problem, text=text, paste=paste)


def _inner(paste: str) -> str:
    return paste.removeprefix(TABLE).removesuffix(",)")


def _place(model: type[Model], marker: str) -> str:
    """Return where the marker goes: into the class, or the settings for somebody else's model."""
    label = model._meta.label
    if model._meta.auto_created:
        owner = model._meta.auto_created
        field = next(f for f in owner._meta.local_many_to_many if f.remote_field.through is model)
        label = owner._meta.label
        if not is_foreign(owner):
            return f'through={{"{field.name}": {marker}}}    # in the Rules of {label}'
        label = model._meta.label
    if is_foreign(model):
        return f'"{label}": {marker},    # in the settings: EFFACE = {{"RULES": {{...}}}}'
    return f"efface = Rules({marker})    # in {label}"


def _tombstone(model: type[Model], name: str | None) -> str:
    label = model._meta.label
    if is_foreign(model):
        return f'"TOMBSTONE": "{label}",    # in the settings: EFFACE = {{...}}; then: migrate'
    return f"{name} = {TOMBSTONE}    # in {label}; then: makemigrations"


def is_foreign(model: type[Model]) -> bool:
    """Return whether the model came with a package, so that nobody edits its class."""
    return "site-packages" in apps.get_app_config(model._meta.app_label).path


def _for_field(line: str, name: str) -> str:
    if line.startswith("personal("):
        return f'personal={{"{name}": {line.removeprefix("personal(").removesuffix(")")}}}'
    return f'not_personal=["{name}"]'


def _columns(model: type[Model]) -> dict[str, str]:
    return {field.column: field.name for field in model._meta.local_concrete_fields}


def _field(model: type[Model], column: str | None) -> str | None:
    return None if column is None else _columns(model).get(column, column)
