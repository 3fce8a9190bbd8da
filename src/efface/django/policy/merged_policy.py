"""Merge the rules of models, settings, a policy file and presets into one policy per database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.apps import apps
from django.db.models import Model

from efface.django.field_names import find_root_model
from efface.django.policy.package_presets import find_preset
from efface.django.rules import Rules, find_rules
from efface.django.schema.models_to_metadata import (
    RulesFinder,
    Schema,
    models_in,
    read_schema,
    table_name,
)
from efface.django.settings import EffaceSettings
from efface.errors import Problem, RulesError, SettingsError
from efface.policy.declarations import SubjectRule
from efface.policy.did_you_mean import did_you_mean
from efface.policy.policy import Policy
from efface.policy.relationships import Generic, compared_columns
from efface.policy.toml import reader
from efface.policy.toml.reader import DeclaredRules


def merge_policy(
    alias: str, settings: EffaceSettings, *, without: frozenset[str] = frozenset()
) -> tuple[Policy, Schema]:
    """Return the policy for the database *alias*, and the schema that it applies to.

    Rules in the model win over rules in the settings, and a preset applies last. The result leaves
    out the tables in *without*.

    Raises:
        RulesError: rules name something that does not exist, or two models of one table have rules.
        PolicyFileError: the policy file names something that does not exist.
        SettingsError: the policy file does not exist.
    """
    through_rules, problems = _find_through_rules(alias)
    problems += [
        *_find_duplicate_rules(alias, through_rules, settings),
        *_find_proxy_rules(settings),
    ]

    def get_own_rules(model: type[Model]) -> Rules | None:
        return find_rules(model) or through_rules.get(model) or settings.rules_for(model)

    # Read the file first, because no preset applies to a table that it names.
    file_rules = _read_file_rules(alias, get_own_rules, settings)
    subject = _find_subject(alias, get_own_rules, file_rules)

    def get_rules(model: type[Model]) -> Rules | None:
        own_rules = get_own_rules(model)
        if table_name(model) in file_rules or (own_rules is not None and own_rules.row_rules):
            return own_rules
        preset_rules = find_preset(model, subject=subject, get_rules=get_all_rules)
        if own_rules is None or preset_rules is None:
            return own_rules or preset_rules
        # Without rules for the rows, the project only adds rules for fields to a package's
        # model, so the preset still applies to the rest.
        return own_rules.with_defaults(preset_rules)

    def get_all_rules(model: type[Model]) -> Rules | None:
        return _add_row_rules(get_rules(model), file_rules.get(table_name(model)))

    schema = read_schema(alias, get_rules)
    if problems := [*problems, *schema.problems]:
        raise RulesError(problems)
    policy = _make_policy(settings, schema)
    if not without:
        return policy, schema
    # The whole schema was checked first, so a missing table does not hide a problem.
    schema = read_schema(alias, get_rules, without=without)
    return policy.with_metadata(schema.metadata), schema


def _add_row_rules(rules: Rules | None, in_file: DeclaredRules | None) -> Rules | None:
    """Return *rules* with the rules for rows that the policy file has."""
    if in_file is None:
        return rules
    found = Rules().with_defaults(rules or Rules())
    found.row_rules = (*found.row_rules, *in_file.table)
    return found


def _make_policy(settings: EffaceSettings, schema: Schema) -> Policy:
    if settings.policy is None:
        policy = Policy.from_metadata(schema.metadata)
    else:
        policy = Policy.from_file(settings.policy, schema.metadata)
    if problems := [
        *_find_wrong_generic_keys(policy, schema),
        *_find_missed_references(policy, schema),
    ]:
        raise RulesError(problems)
    return policy


def _find_wrong_generic_keys(policy: Policy, schema: Schema) -> Iterator[Problem]:
    """Yield a problem for each generic foreign key to other models than the user model.

    Efface would compare their primary keys with those of users.
    """
    people = [
        schema.models[name] for name, table_rules in policy.tables.items() if table_rules.subjects
    ]
    labels = {model._meta.label_lower: model for model in apps.get_models()}
    for name, table_rules in policy.tables.items():
        fields = {f.column: f for f in schema.models[name]._meta.local_concrete_fields}
        for via in (rule.via for rule in table_rules.close_rules):
            if not isinstance(via, Generic) or not fields[via.type_column].is_relation:
                continue
            other_models = [
                labels[each]
                for each in via.names
                if each in labels
                and people
                and find_root_model(labels[each]) is not find_root_model(people[0])
            ]
            if not other_models:
                continue
            (named, *_) = other_models
            text = (
                f"Generic takes keys of {people[0]._meta.label} only, because keys of "
                f"{named._meta.label} would be taken for keys of users. Give the model a foreign "
                "key, and name it in via."
            )
            yield Problem("E606", name, fields[via.type_column].name, text)


def _find_missed_references(policy: Policy, schema: Schema) -> Iterator[Problem]:
    """Yield a problem for each reference to users that only a second, reading model declares."""
    user_tables = {name for name, table_rules in policy.tables.items() if table_rules.subjects}
    for name, readers in schema.readers.items():
        table_rules, owner = policy.tables[name], schema.models[name]._meta.label
        # A column that already counts needs no second field in the owning model.
        known = {key.parent.name for key in table_rules.table.foreign_keys}
        known |= {
            column for rule in table_rules.close_rules for column in compared_columns(rule.via)
        }
        known |= {column for column, row_rules in table_rules.columns.items() if row_rules}
        for model in readers:
            for field in model._meta.local_concrete_fields:
                if not field.is_relation or field.column in known:
                    continue
                if table_name(field.target_field.model) not in user_tables:
                    continue
                text = (
                    f"{model._meta.label} reads this table too, and its field {field.name} refers "
                    f"to users. {owner} has the rules for this table, but not this field, so these "
                    f"rows would not change. Add the field to {owner}, with a rule:"
                )
                kind, label = type(field).__name__, field.related_model._meta.label
                paste = f'{field.name} = models.{kind}("{label}", ...)    # in {owner}'
                yield Problem("E606", name, field.column, text, paste)


def _read_file_rules(
    alias: str, get_rules: RulesFinder, settings: EffaceSettings
) -> Mapping[str, DeclaredRules]:
    """Return the rules of the policy file by table."""
    if settings.policy is None:
        return {}
    if not settings.policy.is_file():
        raise SettingsError(
            f"EFFACE names a file {settings.policy} in POLICY that does not exist: "
            '"POLICY": BASE_DIR / "efface.toml"'
        )
    return reader.read(settings.policy, read_schema(alias, get_rules).metadata)


def _find_subject(
    alias: str, get_rules: RulesFinder, file_rules: Mapping[str, DeclaredRules]
) -> tuple[type[Model], SubjectRule] | None:
    """Return the user model and its rule, from the file, the models or the settings."""
    models = {table_name(model): model for model in models_in(alias)}
    rules = [(models[name], rule) for name, each in file_rules.items() for rule in each.table]
    rules += [
        (each, rule) for each in models.values() for rule in (get_rules(each) or Rules()).row_rules
    ]
    found = ((model, rule) for model, rule in rules if isinstance(rule, SubjectRule))
    return next(found, None)


def _find_through_rules(alias: str) -> tuple[dict[type[Model], Rules], list[Problem]]:
    """Return the rules for the tables of many-to-many fields, which have no class of their own."""
    found: dict[type[Model], Rules] = {}
    problems = []
    for model in models_in(alias):
        rules = find_rules(model)
        fields = {field.name: field for field in model._meta.local_many_to_many}
        for name, field_rules in (rules.through if rules else {}).items():
            if name in fields:
                found[fields[name].remote_field.through] = field_rules
                continue
            text = f"{name} is not a many-to-many field of {model._meta.label}."
            text += did_you_mean(name, fields, listed=12)
            problems.append(Problem("E606", table_name(model), name, text))
    return found, problems


def _find_duplicate_rules(
    alias: str, through_rules: Mapping[type[Model], Rules], settings: EffaceSettings
) -> Iterator[Problem]:
    """Yield a problem for each model with rules in two places, because one would have no effect."""
    for model in models_in(alias):
        label = model._meta.label
        places = []
        if find_rules(model):
            places.append(f"`efface` of {label}")
        if model in through_rules:
            places.append(f"`through` of a many-to-many field to {label}")
        if model._meta.label_lower in settings.rules:
            places.append(f'EFFACE["RULES"]["{label}"] in the settings')
        if len(places) > 1:
            text = f"{label} has rules in two places. Efface would ignore one, so keep one of them:"
            yield Problem("E606", table_name(model), None, text, "\n".join(places))


def _find_proxy_rules(settings: EffaceSettings) -> Iterator[Problem]:
    """Yield a problem for each proxy model in the settings, which has no table of its own."""
    for model in apps.get_models():
        options = model._meta
        if options.proxy and options.label_lower in settings.rules:
            there = options.concrete_model._meta.label
            text = f"{options.label} is a proxy, so Efface would ignore its rules. Name {there}:"
            paste = f'"{there}": ...,    # in EFFACE["RULES"], in place of "{options.label}"'
            yield Problem("E606", table_name(model), None, text, paste)
