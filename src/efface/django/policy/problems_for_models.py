"""Problems of a policy in the words of Django: models, fields, and lines to paste beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.apps import apps
from django.db.models import Model

from efface.django.rules import ATTRIBUTE, Rules
from efface.django.schema.models_to_metadata import Schema
from efface.errors import Problem
from efface.policy.check.missing_rules import leading
from efface.policy.policy import Policy

TABLE = "__table_args__ = ("
TOMBSTONE = "models.DateTimeField(null=True, blank=True)"
COMMENT = "    # "
_VIA = re.compile(r"""via=(["'])([^"']+)\1""")
_PARENT = re.compile(r"on (\S+):$")
_ASKS = re.compile(r"(Add one of these( to the column)?|Mark the column):$")


def in_django(
    problems: Iterable[Problem], policy: Policy, schema: Schema, rules: Mapping[str, Rules]
) -> list[Problem]:
    """Return *problems* as one mends them in Django; places and codes stay.

    *rules* are those of the settings, by the label of a model.
    """
    problems = list(problems)
    words = _Words(policy, schema, rules)
    undecided: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem.code == "E101" and problem.column is not None:
            undecided.setdefault(problem.table, []).append(problem)
    return [words.of(problem, undecided.get(problem.table, ())) for problem in problems]


def is_foreign(model: type[Model]) -> bool:
    """Return whether the model came with a package, so that nobody edits its class."""
    return "site-packages" in apps.get_app_config(model._meta.app_label).path


@dataclass(frozen=True)
class _Words:
    policy: Policy
    schema: Schema
    rules: Mapping[str, Rules]

    def of(self, problem: Problem, undecided: Sequence[Problem]) -> Problem:
        """Return *problem* in words of Django; *undecided* are the columns beside it."""
        model = self.schema.models.get(problem.table)
        text, paste = problem.text, problem.paste
        if model is None:
            if paste.startswith(TABLE):
                paste = (
                    f"efface = Rules({_inner(paste)}){COMMENT}in the model whose rows are people"
                )
            return replace(problem, paste=paste)
        if problem.code == "E101" and problem.column is None:
            paste = self._place(model, self._markers(model))
        elif problem.code == "E101":
            text, paste = self._undecided(model, problem, undecided)
        elif problem.code == "E108":
            paste = ""
        elif problem.code == "E105":
            paste = _deleted_at(model, _field(model, problem.column))
        elif problem.code == "W102":
            paste = _index(model, paste)
        else:
            return self._mended(model, problem)
        return replace(problem, text=_in_fields(model, text), paste=paste)

    def _markers(self, model: type[Model]) -> list[str]:
        """Return what could be said of the rows of *model*, as one types it."""
        table = self.policy.tables[_table(self.schema, model)].table
        links = [link for link in leading(self.policy, table) if isinstance(link, str)]
        people = [self.schema.models[n] for n, r in self.policy.tables.items() if r.subjects]
        pair = next((f for f in model._meta.private_fields if hasattr(f, "ct_field")), None)
        if links:
            return [f'on_close(Delete(), via="{_link(model, each)}")' for each in links]
        if pair is not None and people:
            named = f'"{pair.ct_field}", key="{pair.fk_field}", name="{people[0]._meta.label}"'
            return [f"on_close(Delete(), via=Generic({named}))"]
        return ['no_personal_data(reason="...")']

    def _place(self, model: type[Model], rule_items: Sequence[str]) -> str:
        """Return where they go: into the class, or the settings for somebody else's model."""
        label, joined = model._meta.label, ", ".join(rule_items)
        owner = model._meta.auto_created
        if owner and not is_foreign(owner):
            said = joined if len(rule_items) == 1 else f"[{joined}]"
            entry = f'"{_many_to_many(model)}": {said}'
            where = f"the Rules of {owner._meta.label}"
            if getattr(self._own(owner), "through", None):
                return f"{entry},{COMMENT}into through={{...}} in {where}"
            return f"through={{{entry}}}{COMMENT}in {where}"
        if self._own(model) is not None:
            # One that stands there says nothing of the rows yet.
            return f"{joined},{COMMENT}first in {self._where(model)}"
        if is_foreign(model):
            said = joined if len(rule_items) == 1 else f"Rules({joined})"
            return f'"{label}": {said},{COMMENT}in the settings: EFFACE = {{"RULES": {{...}}}}'
        return f"efface = Rules({joined}){COMMENT}in {label}"

    def _own(self, model: type[Model]) -> Rules | None:
        """Return the rules that stand in the class itself, or in the settings by its label."""
        own = model.__dict__.get(ATTRIBUTE)
        return own if isinstance(own, Rules) else self.rules.get(model._meta.label_lower)

    def _where(self, model: type[Model]) -> str:
        label, owner = model._meta.label, model._meta.auto_created
        if owner and not is_foreign(owner):
            name = _many_to_many(model)
            return f'through={{"{name}": [...]}} in the Rules of {owner._meta.label}'
        if is_foreign(model) or model._meta.label_lower in self.rules:
            return f'the Rules of {label} in EFFACE["RULES"]'
        return f"the Rules of {label}"

    def _undecided(
        self, model: type[Model], problem: Problem, group: Sequence[Problem]
    ) -> tuple[str, str]:
        """Return text and lines for a field; of several, the first has the lines for all."""
        group = sorted(group, key=lambda each: each.column or "")
        names = [_field(model, each.column) for each in group]
        name = _field(model, problem.column)
        if problem.column != group[0].column:
            return f"{name} is undecided: the lines of {group[0].place} are for it too.", ""
        decided = [
            (each, _action(_in_fields(model, line)))
            for each, one in zip(names, group, strict=True)
            for line in one.paste.splitlines()
            if line.startswith("personal(")
        ]
        lines = [self._fields(model, "personal", [f'"{n}": {said}' for n, said in decided])]
        lines.append(self._fields(model, "not_personal", [f'"{each}"' for each in names]))
        paste = "\n".join(lines if decided else lines[1:])
        if len(names) == 1:
            return f"{name} is undecided. Give {self._where(model)} one of these:", paste
        others = ", ".join(names[1:])
        asked = f"Give {self._where(model)} one of these for each:"
        return f"{name} is undecided, and so: {others}. {asked}", paste

    def _fields(self, model: type[Model], keyword: str, entries: Sequence[str]) -> str:
        """Return one line for all *entries*, to stand where there is a place for it."""
        left, right = "{}" if keyword == "personal" else "[]"
        joined, own = ", ".join(entries), self._own(model)
        if own is not None and getattr(own, keyword):
            return f"{joined},{COMMENT}into {keyword}={left}...{right}"
        line = f"{keyword}={left}{joined}{right}"
        if own is None and is_foreign(model):
            return f'"{model._meta.label}": Rules({line}),{COMMENT}in EFFACE["RULES"]'
        return line if own is not None else f"efface = Rules({line}){COMMENT}in {model._meta.label}"

    def _mended(self, model: type[Model], problem: Problem) -> Problem:
        """Return a problem whose lines are those of markers."""
        text, name = problem.text, _field(model, problem.column)
        there = model
        if parent := _PARENT.search(text):
            there = self.schema.models.get(parent[1], model)
            text = f"{text[: parent.start()]}in {self._where(there)}:"
        if problem.column is None and problem.paste.startswith("personal("):
            table, _, column = text.partition(" ")[0].rpartition(".")
            there = self.schema.models.get(table, model)
            name = _field(there, column)
        text = _ASKS.sub(f"Give {self._where(there)} one of these:", text)
        text = text.replace('"table.column"', '"app.Model.field"')
        lines = self._lines(there, name, problem.paste.splitlines())
        return replace(problem, text=_in_fields(model, text), paste="\n".join(lines))

    def _lines(self, model: type[Model], name: str, lines: Sequence[str]) -> list[str]:
        found, decided, why = [], [], ""
        for line in lines:
            code, _, comment = _in_fields(model, line).partition(COMMENT)
            comment = comment.removeprefix("on the column: ").removeprefix("on the table")
            if code.startswith("personal("):
                decided.append(_action(code))
                why = comment
            elif code == "not_personal()":
                said = self._fields(model, "not_personal", [f'"{name}"'])
                found.append(_with(said, comment))
            elif code.startswith("on_close("):
                found.append(f"{code},{COMMENT}{self._instead(model)}in {self._where(model)}")
            else:
                found.append(line)
        if decided:
            said = decided[0] if len(decided) == 1 else f"[{', '.join(decided)}]"
            found.insert(0, _with(self._fields(model, "personal", [f'"{name}": {said}']), why))
        return found

    def _instead(self, model: type[Model]) -> str:
        table_rules = self.policy.tables[_table(self.schema, model)]
        return "in place of no_personal_data(...) " if table_rules.no_personal_data else ""


def _action(line: str) -> str:
    """Return what a marker says, as `Rules` take it: the action alone where no link is named."""
    return line if "via=" in line else line.removeprefix("personal(").removesuffix(")")


def _with(line: str, comment: str) -> str:
    if not comment:
        return line
    return f"{line}; {comment}" if COMMENT in line else f"{line}{COMMENT}{comment}"


def _inner(paste: str) -> str:
    return paste.removeprefix(TABLE).removesuffix(",)")


def _table(schema: Schema, model: type[Model]) -> str:
    return next(name for name, each in schema.models.items() if each is model)


def _many_to_many(through: type[Model]) -> str:
    """Return the field whose table has no class to write in."""
    fields = through._meta.auto_created._meta.local_many_to_many
    name: str = next(f.name for f in fields if f.remote_field.through is through)
    return name


def _deleted_at(model: type[Model], name: str) -> str:
    label = model._meta.label
    if is_foreign(model):
        return f'"USER_MODEL": "{label}",{COMMENT}in the settings: EFFACE = {{...}}; then: migrate'
    return f"{name} = {TOMBSTONE}{COMMENT}in {label}; then: makemigrations"


def _index(model: type[Model], paste: str) -> str:
    label = model._meta.label
    names = [_field(model, each) for each in re.findall(r'"([^"]+)"', paste)[1:]]
    if len(names) == 1:
        return f"{names[0]} = models....(db_index=True){COMMENT}in {label}"
    listed = ", ".join(f'"{name}"' for name in names)
    index = f"models.Index(fields=[{listed}])"
    if model._meta.indexes:
        return f"{index},{COMMENT}into indexes in the Meta of {label}"
    return f"indexes = [{index}]{COMMENT}in the Meta of {label}"


def _field(model: type[Model], column: str | None) -> str:
    """Return the name of the field that makes *column*."""
    fields = model._meta.local_concrete_fields
    name: str = next((field.name for field in fields if field.column == column), column or "")
    return name


def _link(model: type[Model] | None, path: str) -> str:
    """Return a link through columns as one through fields."""
    names = []
    for column in path.split("."):
        fields = model._meta.local_concrete_fields if model is not None else ()
        field = next((each for each in fields if each.column == column), None)
        names.append(field.name if field is not None else column)
        model = field.related_model if field is not None and field.is_relation else None
    return ".".join(names)


def _in_fields(model: type[Model], text: str) -> str:
    """Return *text* with fields in place of columns."""
    text = _VIA.sub(lambda found: f'via="{_link(model, found[2])}"', text)
    columns = {field.column: field.name for field in model._meta.local_concrete_fields}
    # A plain word could be one of the sentence.
    told = [name for name in columns if name and not (name.isalpha() and name.islower())]
    if not told:
        return text
    words = "|".join(re.escape(name) for name in sorted(told, key=len, reverse=True))
    return re.sub(rf"\b({words})\b", lambda found: columns[found[1]], text)
