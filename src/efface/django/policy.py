"""The policy of one database: the models' rules, those of the settings, a file, and presets."""

from __future__ import annotations

from django.db.models import Model

from efface.django.presets import preset
from efface.django.rules import Rules, rules_of
from efface.django.schema import Finding, Schema, models_in, read, table_name
from efface.django.settings import Settings
from efface.errors import Problem, RulesError
from efface.policy import file
from efface.policy.rules import Policy
from efface.policy.spelling import did_you_mean


def policy_of(alias: str, settings: Settings) -> tuple[Policy, Schema]:
    """Return the policy for the database *alias*, and the schema it is about.

    A model's own rules go before those that the settings give it.

    Raises:
        RulesError: the rules name what does not exist, or two models claim one table.
        PolicyFileError: the file does.
    """
    through, unknown = _through(alias)

    def said(model: type[Model]) -> Rules | None:
        return rules_of(model) or through.get(model) or settings.of(model)

    in_file = _in_file(alias, said, settings)

    def find(model: type[Model]) -> Rules | None:
        return said(model) or (None if table_name(model) in in_file else preset(model))

    schema = read(alias, find)
    if problems := (*unknown, *schema.problems):
        raise RulesError(problems)
    if settings.policy is None:
        return Policy.from_metadata(schema.metadata), schema
    return Policy.from_file(settings.policy, schema.metadata), schema


def _in_file(alias: str, find: Finding, settings: Settings) -> frozenset[str]:
    """Return the tables about which the policy file says something."""
    if settings.policy is None:
        return frozenset()
    return frozenset(file.read(settings.policy, read(alias, find).metadata))


def _through(alias: str) -> tuple[dict[type[Model], Rules], list[Problem]]:
    """Return the rules for tables of many-to-many fields, which have no class to write them in."""
    found: dict[type[Model], Rules] = {}
    problems = []
    for model in models_in(alias):
        rules = rules_of(model)
        fields = {field.name: field for field in model._meta.local_many_to_many}
        for name, said in (rules.through if rules else {}).items():
            if name in fields:
                found[fields[name].remote_field.through] = said
                continue
            text = f"{name} is not a many-to-many field of {model._meta.label}."
            text += did_you_mean(name, fields, listed=12)
            problems.append(Problem("E606", table_name(model), name, text))
    return found, problems
