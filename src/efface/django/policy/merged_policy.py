"""The policy of one database: the models' rules, those of the settings, a file, and presets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.apps import apps
from django.db.models import Model

from efface.django.policy.package_presets import preset
from efface.django.rules import Rules, root_of, rules_of
from efface.django.schema.models_to_metadata import Finding, Schema, models_in, read, table_name
from efface.django.settings import EffaceSettings
from efface.errors import Problem, RulesError, SettingsError
from efface.policy.declarations import SubjectRule
from efface.policy.did_you_mean import did_you_mean
from efface.policy.policy import Policy
from efface.policy.relationships import Generic, compared_columns
from efface.policy.toml import reader
from efface.policy.toml.reader import DeclaredRules


def policy_of(
    alias: str, settings: EffaceSettings, *, without: frozenset[str] = frozenset()
) -> tuple[Policy, Schema]:
    """Return the policy for the database *alias*, and the schema it is about.

    A model's own rules go before those that the settings give it. Tables *without* are left out.

    Raises:
        RulesError: the rules name what does not exist, or two models claim one table.
        PolicyFileError: the file does.
        SettingsError: the file is not there.
    """
    through, unknown = _through(alias)
    unknown += [*_twice(alias, through, settings), *_of_proxies(settings)]

    def said(model: type[Model]) -> Rules | None:
        return rules_of(model) or through.get(model) or settings.of(model)

    in_file = _in_file(alias, said, settings)
    people = _people(alias, said, in_file)

    def find(model: type[Model]) -> Rules | None:
        if table_name(model) in in_file:
            return said(model)
        decided = said(model)
        if decided is not None and decided.row_rules:
            return decided
        usual = preset(model, people=people)
        # Fields alone are what a project has added to a model that it does not own.
        return (
            decided.under(usual) if decided is not None and usual is not None else decided or usual
        )

    schema = read(alias, find)
    if problems := (*unknown, *schema.problems):
        raise RulesError(problems)
    if settings.policy is None:
        policy = Policy.from_metadata(schema.metadata)
    else:
        policy = Policy.from_file(settings.policy, schema.metadata)
    if problems := (*_misled(policy, schema), *_overlooked(policy, schema)):
        raise RulesError(problems)
    if without:
        schema = read(alias, find, without=without)
        policy = policy.with_metadata(schema.metadata)
    return policy, schema


def _misled(policy: Policy, schema: Schema) -> Iterator[Problem]:
    """Yield the generic pairs whose key is not a person's: it would be taken for one."""
    people = [
        schema.models[name] for name, table_rules in policy.tables.items() if table_rules.subjects
    ]
    labels = {model._meta.label_lower: model for model in apps.get_models()}
    for name, table_rules in policy.tables.items():
        fields = {f.column: f for f in schema.models[name]._meta.local_concrete_fields}
        for via in (rule.via for rule in table_rules.close_rules):
            if not isinstance(via, Generic) or not fields[via.type_column].is_relation:
                continue
            strangers = [
                labels[each]
                for each in via.names
                if each in labels and people and root_of(labels[each]) is not root_of(people[0])
            ]
            if not strangers:
                continue
            (named, *_) = strangers
            text = (
                f"A generic pair leads to people alone, and {named._meta.label} is about other "
                f"rows: their keys would be taken for those of {people[0]._meta.label}. Give the "
                "model a foreign key, and name it in via."
            )
            yield Problem("E606", name, fields[via.type_column].name, text)


def _overlooked(policy: Policy, schema: Schema) -> Iterator[Problem]:
    """Yield the references to people that a table has only in a model that merely reads it."""
    people = {name for name, table_rules in policy.tables.items() if table_rules.subjects}
    for name, readers in schema.readers.items():
        table_rules, owner = policy.tables[name], schema.models[name]._meta.label
        known = {key.parent.name for key in table_rules.table.foreign_keys}
        known |= {
            column for rule in table_rules.close_rules for column in compared_columns(rule.via)
        }
        known |= {column for column, row_rules in table_rules.columns.items() if row_rules}
        for model in readers:
            for field in model._meta.local_concrete_fields:
                if not field.is_relation or field.column in known:
                    continue
                if table_name(field.target_field.model) not in people:
                    continue
                text = (
                    f"{model._meta.label} reads this table too, and {field.name} there leads to "
                    f"people. {owner} decides about the table and has no such field, so rows of "
                    "whoever leaves would stay as they are. Let it have one, and decide there:"
                )
                kind, label = type(field).__name__, field.related_model._meta.label
                paste = f'{field.name} = models.{kind}("{label}", ...)    # in {owner}'
                yield Problem("E606", name, field.column, text, paste)


def _in_file(alias: str, find: Finding, settings: EffaceSettings) -> Mapping[str, DeclaredRules]:
    """Return what the policy file says, by table."""
    if settings.policy is None:
        return {}
    if not settings.policy.is_file():
        raise SettingsError(
            f"EFFACE names a file {settings.policy} in POLICY, and it is not there: "
            '"POLICY": BASE_DIR / "efface.toml"'
        )
    return reader.read(settings.policy, read(alias, find).metadata)


def _people(
    alias: str, find: Finding, in_file: Mapping[str, DeclaredRules]
) -> tuple[type[Model], SubjectRule] | None:
    """Return the model of the people, and what the file, models or settings say of them."""
    models = {table_name(model): model for model in models_in(alias)}
    said = [(models[name], rule) for name, each in in_file.items() for rule in each.table]
    said += [(each, rule) for each in models.values() for rule in (find(each) or Rules()).row_rules]
    found = ((model, rule) for model, rule in said if isinstance(rule, SubjectRule))
    return next(found, None)


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


def _twice(
    alias: str, through: Mapping[type[Model], Rules], settings: EffaceSettings
) -> Iterator[Problem]:
    """Yield the models that have rules in two places, of which one would be ignored."""
    for model in models_in(alias):
        label = model._meta.label
        places = []
        if rules_of(model):
            places.append(f"`efface` of {label}")
        if model in through:
            places.append(f"`through` of a many-to-many field to {label}")
        if model._meta.label_lower in settings.rules:
            places.append(f'EFFACE["RULES"]["{label}"] in the settings')
        if len(places) > 1:
            text = f"{label} has rules in two places, and one would be ignored. Keep one of them:"
            yield Problem("E606", table_name(model), None, text, "\n".join(places))


def _of_proxies(settings: EffaceSettings) -> Iterator[Problem]:
    """Yield the models named in the settings whose table belongs to another."""
    for model in apps.get_models():
        options = model._meta
        if options.proxy and options.label_lower in settings.rules:
            there = options.concrete_model._meta.label
            text = f"{options.label} is a proxy, so its rules would be ignored. Name {there}:"
            paste = f'"{there}": ...,    # in EFFACE["RULES"], in place of "{options.label}"'
            yield Problem("E606", table_name(model), None, text, paste)
