"""Translate the problems of a policy into terms of Django: models, fields and lines to paste."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.apps import apps
from django.db.models import Model

from efface.django.rules import ATTRIBUTE, Rules
from efface.django.schema.models_to_metadata import Schema
from efface.errors import Problem
from efface.policy.actions import Delete, Redact
from efface.policy.check.suggested_rules import OR, Choice, table_choices
from efface.policy.policy import Policy
from efface.policy.relationships import Generic

TABLE = "__table_args__ = ("
DELETED_AT_FIELD = "models.DateTimeField(null=True, blank=True)"
COMMENT = "    # "
# These match the texts and lines that `efface.policy.check` writes for SQLAlchemy.
_VIA = re.compile(r"""via=(["'])([^"']+)\1""")
_PARENT = re.compile(r"on (\S+):$")
_ASKS = re.compile(r"Add (one of these( to the column)?|this to the column):$")
# What a model cannot say, and what its database has whatever on_delete says.
_DATABASE = {
    ", or let the foreign key follow: ON UPDATE CASCADE": "",
    "ON DELETE NO ACTION": "on_delete applies to Django's own deletions only",
}


def translate_problems(
    problems: Iterable[Problem], policy: Policy, schema: Schema, rules: Mapping[str, Rules]
) -> list[Problem]:
    """Return *problems* with texts and lines for Django. Their codes and places stay the same.

    *rules* are the rules in the settings, by the label of a model.
    """
    problems = list(problems)
    translator = _Translator(policy, schema, rules)
    without_rule: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem.code == "E101" and problem.column is not None:
            without_rule.setdefault(problem.table, []).append(problem)
    return [
        translator.translate(problem, without_rule.get(problem.table, ())) for problem in problems
    ]


def is_from_package(model: type[Model]) -> bool:
    """Return whether the model is in an installed package, whose classes you cannot edit."""
    return "site-packages" in apps.get_app_config(model._meta.app_label).path


@dataclass(frozen=True)
class _Translator:
    policy: Policy
    schema: Schema
    rules: Mapping[str, Rules]

    def translate(self, problem: Problem, without_rule: Sequence[Problem]) -> Problem:
        """Return *problem* for Django; *without_rule* are all such columns of its table."""
        model = self.schema.models.get(problem.table)
        text, paste = problem.text, problem.paste
        if model is None:
            if paste.startswith(TABLE):
                paste = f"efface = Rules({_inner(paste)}){COMMENT}in your user model"
            return replace(problem, paste=paste)
        if problem.code == "E101" and problem.column is None:
            first, *others = self._choices(model)
            lines = [f"{OR}{line}" for each in others for line in self._choice_lines(model, each)]
            paste = "\n".join([*self._choice_lines(model, first), *lines])
        elif problem.code == "E101":
            text, paste = self._translate_missing_rule(model, problem, without_rule)
        elif problem.code == "E108":
            paste = ""
        elif problem.code == "E105":
            paste = _deleted_at_line(model, _field_name(model, problem.column))
        elif problem.code == "W102":
            paste = _index_line(model, paste)
        else:
            return self._translate_rules(model, problem)
        return replace(problem, text=_replace_columns(model, text), paste=paste)

    def _choices(self, model: type[Model]) -> list[Choice]:
        """Return possible rules for the rows of *model*, the gentlest first."""
        table = self.policy.tables[_table_name(self.schema, model)].table
        choices = table_choices(self.policy.tables, table)
        people = [self.schema.models[n] for n, r in self.policy.tables.items() if r.subjects]
        pair = next((f for f in model._meta.private_fields if hasattr(f, "ct_field")), None)
        if pair is not None and people and choices[0].action is None:
            generic = Generic(pair.ct_field, pair.fk_field, people[0]._meta.label)
            rows = (Choice(action, (generic,)) for action in (Redact(), Delete()))
            choices = (*rows, choices[0])
        # A rule of a model can't name a reference of several columns.
        return [each for each in choices if not any(isinstance(v, tuple) for v in each.vias)]

    def _choice_lines(self, model: type[Model], choice: Choice) -> list[str]:
        rules = [_replace_columns(model, rule) for rule in choice.rules()]
        fields = [
            f'"{_field_name(model, column)}": {_strip_personal(_replace_columns(model, rule))}'
            for column, rule in choice.column_rules()
        ]
        if fields and self._find_own_rules(model) is not None:
            more = self._format_fields(model, "personal", fields)
            return [self._format_rules(model, rules), more]
        rules += [f"personal={{{', '.join(fields)}}}"] if fields else []
        return [self._format_rules(model, rules)]

    def _format_rules(self, model: type[Model], rule_items: Sequence[str]) -> str:
        """Return the lines to paste, for the class or, if you cannot edit it, for the settings."""
        label, joined = model._meta.label, ", ".join(rule_items)
        owner = model._meta.auto_created
        if owner and not is_from_package(owner):
            said = joined if len(rule_items) == 1 else f"[{joined}]"
            entry = f'"{_many_to_many(model)}": {said}'
            where = f"the Rules of {owner._meta.label}"
            if getattr(self._find_own_rules(owner), "through", None):
                return f"{entry},{COMMENT}into through={{...}} in {where}"
            return f"through={{{entry}}}{COMMENT}in {where}"
        if self._find_own_rules(model) is not None:
            # The model has Rules already, but none for its rows.
            return f"{joined},{COMMENT}first in {self._where(model)}"
        if is_from_package(model):
            said = joined if len(rule_items) == 1 else f"Rules({joined})"
            return f'"{label}": {said},{COMMENT}in the settings: EFFACE = {{"RULES": {{...}}}}'
        return f"efface = Rules({joined}){COMMENT}in {label}"

    def _find_own_rules(self, model: type[Model]) -> Rules | None:
        """Return the rules in the class itself, or in the settings under its label."""
        own_rules = model.__dict__.get(ATTRIBUTE)
        return (
            own_rules if isinstance(own_rules, Rules) else self.rules.get(model._meta.label_lower)
        )

    def _where(self, model: type[Model]) -> str:
        label, owner = model._meta.label, model._meta.auto_created
        if owner and not is_from_package(owner):
            name = _many_to_many(model)
            return f'through={{"{name}": [...]}} in the Rules of {owner._meta.label}'
        if is_from_package(model) or model._meta.label_lower in self.rules:
            return f'the Rules of {label} in EFFACE["RULES"]'
        return f"the Rules of {label}"

    def _translate_missing_rule(
        self, model: type[Model], problem: Problem, group: Sequence[Problem]
    ) -> tuple[str, str]:
        """Return text and lines for a field. The first of several fields has the lines for all."""
        group = sorted(group, key=lambda each: each.column or "")
        names = [_field_name(model, each.column) for each in group]
        name = _field_name(model, problem.column)
        if problem.column != group[0].column:
            return f"{name} has no rule. The lines of {group[0].place} are for it, too.", ""
        decided = [
            (each, _strip_personal(_replace_columns(model, line)))
            for each, one in zip(names, group, strict=True)
            for line in one.paste.splitlines()
            if line.startswith("personal(")
        ]
        lines = [self._format_fields(model, "personal", [f'"{n}": {said}' for n, said in decided])]
        lines.append(self._format_fields(model, "not_personal", [f'"{each}"' for each in names]))
        paste = "\n".join(lines if decided else lines[1:])
        if len(names) == 1:
            return f"{name} has no rule. Give {self._where(model)} one of these:", paste
        asked = f"Give {self._where(model)} one of these for each:"
        return f"These fields have no rule: {', '.join(names)}. {asked}", paste

    def _format_fields(self, model: type[Model], keyword: str, entries: Sequence[str]) -> str:
        """Return one line for all *entries*, with a comment that names the place to paste it."""
        left, right = "{}" if keyword == "personal" else "[]"
        joined, own_rules = ", ".join(entries), self._find_own_rules(model)
        if own_rules is not None and getattr(own_rules, keyword):
            return f"{joined},{COMMENT}into {keyword}={left}...{right}"
        line = f"{keyword}={left}{joined}{right}"
        if own_rules is None and is_from_package(model):
            return f'"{model._meta.label}": Rules({line}),{COMMENT}in EFFACE["RULES"]'
        return (
            line
            if own_rules is not None
            else f"efface = Rules({line}){COMMENT}in {model._meta.label}"
        )

    def _translate_rules(self, model: type[Model], problem: Problem) -> Problem:
        """Return a problem whose lines to paste are rules in Python."""
        text, name = problem.text, _field_name(model, problem.column)
        for said, translated in _DATABASE.items():
            text = text.replace(said, translated)
        there = model
        if parent := _PARENT.search(text):
            there = self.schema.models.get(parent[1], model)
            text = f"{text[: parent.start()]}in {self._where(there)}:"
        if problem.column is None and problem.paste.startswith("personal("):
            table, _, column = text.partition(" ")[0].rpartition(".")
            there = self.schema.models.get(table, model)
            name = _field_name(there, column)
        text = _ASKS.sub(f"Give {self._where(there)} one of these:", text)
        text = text.replace('"table.column"', '"app.Model.field"')
        lines = self._translate_lines(there, name, problem.paste.splitlines())
        return replace(problem, text=_replace_columns(model, text), paste="\n".join(lines))

    def _translate_lines(self, model: type[Model], name: str, lines: Sequence[str]) -> list[str]:
        found, decided, why = [], [], ""
        for line in lines:
            code, _, comment = _replace_columns(model, line).partition(COMMENT)
            comment = comment.removeprefix("on the column: ").removeprefix("on the table")
            if code.startswith("personal("):
                decided.append(_strip_personal(code))
                why = comment
            elif code == "not_personal()":
                said = self._format_fields(model, "not_personal", [f'"{name}"'])
                found.append(_append_comment(said, comment))
            elif code.startswith("on_close("):
                found.append(f"{code},{COMMENT}{self._instead(model)}in {self._where(model)}")
            else:
                found.append(line)
        if decided:
            said = decided[0] if len(decided) == 1 else f"[{', '.join(decided)}]"
            found.insert(
                0,
                _append_comment(self._format_fields(model, "personal", [f'"{name}": {said}']), why),
            )
        return found

    def _instead(self, model: type[Model]) -> str:
        table_rules = self.policy.tables[_table_name(self.schema, model)]
        return "in place of no_personal_data(...) " if table_rules.no_personal_data else ""


def _strip_personal(line: str) -> str:
    """Return the rule as `Rules` accepts it, which is the action alone unless ``via`` is named."""
    return line if "via=" in line else line.removeprefix("personal(").removesuffix(")")


def _append_comment(line: str, comment: str) -> str:
    if not comment:
        return line
    return f"{line}; {comment}" if COMMENT in line else f"{line}{COMMENT}{comment}"


def _inner(paste: str) -> str:
    return paste.removeprefix(TABLE).removesuffix(",)")


def _table_name(schema: Schema, model: type[Model]) -> str:
    return next(name for name, each in schema.models.items() if each is model)


def _many_to_many(through: type[Model]) -> str:
    """Return the name of the many-to-many field whose table is *through*."""
    fields = through._meta.auto_created._meta.local_many_to_many
    name: str = next(f.name for f in fields if f.remote_field.through is through)
    return name


def _deleted_at_line(model: type[Model], name: str) -> str:
    label = model._meta.label
    if is_from_package(model):
        return f'"USER_MODEL": "{label}",{COMMENT}in the settings: EFFACE = {{...}}; then: migrate'
    return f"{name} = {DELETED_AT_FIELD}{COMMENT}in {label}; then: makemigrations"


def _index_line(model: type[Model], paste: str) -> str:
    label = model._meta.label
    # The first quoted name is the index's.
    names = [_field_name(model, each) for each in re.findall(r'"([^"]+)"', paste)[1:]]
    if len(names) == 1:
        return f"{names[0]} = models....(db_index=True){COMMENT}in {label}"
    listed = ", ".join(f'"{name}"' for name in names)
    index = f"models.Index(fields=[{listed}])"
    if model._meta.indexes:
        return f"{index},{COMMENT}into indexes in the Meta of {label}"
    return f"indexes = [{index}]{COMMENT}in the Meta of {label}"


def _field_name(model: type[Model], column: str | None) -> str:
    """Return the name of the field whose column is *column*."""
    fields = model._meta.local_concrete_fields
    name: str = next((field.name for field in fields if field.column == column), column or "")
    return name


def _link(model: type[Model] | None, path: str) -> str:
    """Return a path of columns as a path of field names."""
    names = []
    for column in path.split("."):
        fields = model._meta.local_concrete_fields if model is not None else ()
        field = next((each for each in fields if each.column == column), None)
        names.append(field.name if field is not None else column)
        model = field.related_model if field is not None and field.is_relation else None
    return ".".join(names)


def _replace_columns(model: type[Model], text: str) -> str:
    """Return *text* with the names of fields in place of columns."""
    text = _VIA.sub(lambda found: f'via="{_link(model, found[2])}"', text)
    columns = {field.column: field.name for field in model._meta.local_concrete_fields}
    # A lowercase word, such as "name", could be an ordinary word of the sentence.
    names = [name for name in columns if name and not (name.isalpha() and name.islower())]
    if not names:
        return text
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.sub(rf"\b({pattern})\b", lambda found: columns[found[1]], text)
