"""Define `Rules`: what Efface does with rows and fields of a model, next to its fields.

Rules use names of Django's fields. This module is the only one that translates them to columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from django.apps import apps
from django.db.models import Model
from sqlalchemy import Column, Table

from efface.errors import Problem, RulesError
from efface.policy.actions import ColumnAction, Retain
from efface.policy.declarations import (
    CloseRule,
    ColumnRule,
    NoPersonalDataRule,
    RuleItem,
    SubjectRule,
    data_subject,
    no_personal_data,
    on_close,
)
from efface.policy.did_you_mean import did_you_mean
from efface.policy.relationships import Generic, MatchBy, OwnedBy, Via

TableRule = SubjectRule | CloseRule | NoPersonalDataRule
FieldRule = ColumnAction | RuleItem | Sequence[RuleItem]
ATTRIBUTE = "efface"
LISTS = ("identifiers", "not_personal")
TERMS = ("closing", "calendar-year-end")


class Rules:
    """The rules of a model, as its class attribute ``efface``.

    Abstract models and mixins can have rules too. Efface merges them: for each field, and for the
    rows, the rules of the class nearest to the model win.

    Example:
        class Post(models.Model):
            author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
            body = models.TextField()

            efface = Rules(
                on_close(Redact(), via="author"),
                personal={"body": ReplaceMentions("a former member")},
            )
    """

    __slots__ = ("not_personal", "personal", "row_rules", "through")

    def __init__(
        self,
        *rule_items: RuleItem,
        personal: Mapping[str, FieldRule] | None = None,
        not_personal: Sequence[str] = (),
        through: Mapping[str, RuleItem | Sequence[RuleItem]] | None = None,
    ) -> None:
        """Store the rules. Efface looks up their names after Django has loaded all models.

        Args:
            rule_items: `data_subject`, `no_personal_data`, or one `on_close` for each relationship.
            personal: The action for each field. If relationships need different actions, use
                ``personal(action, via=...)``.
            not_personal: The fields without personal data.
            through: The rules for the table of a `ManyToManyField` without a model of its own.

        Raises:
            RulesError: an argument has the wrong type, such as a string in place of a list.
        """
        self.row_rules = _read_table_rules(rule_items)
        self.personal = {
            name: _read_column_rules(name, said)
            for name, said in _read_mapping("personal", personal, 'Replace("...")').items()
        }
        self.not_personal = _read_names(not_personal)
        self.through = {
            name: Rules(*(said if isinstance(said, (list, tuple)) else [said]))
            for name, said in _read_mapping("through", through, "on_close(...)").items()
        }

    __hash__ = None  # type: ignore[assignment]  # compared, never looked up

    def __eq__(self, other: object) -> bool:
        """Return whether both have the same rules."""
        return isinstance(other, Rules) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    def with_defaults(self, other: Rules) -> Rules:
        """Return these rules, completed by *other* for fields and rows that they do not cover."""
        merged = Rules()
        merged.row_rules = self.row_rules or other.row_rules
        own_fields = {*self.personal, *self.not_personal}
        further = {name: said for name, said in other.personal.items() if name not in own_fields}
        merged.personal = {**further, **self.personal}
        merged.not_personal = (
            *self.not_personal,
            *(name for name in other.not_personal if name not in own_fields),
        )
        merged.through = {**other.through, **self.through}
        return merged


def _refused(text: str, paste: str) -> RulesError:
    # The rules do not know their model yet, but the traceback contains the class.
    return RulesError([Problem("E606", "Rules(...)", None, text, paste)])


def _read_table_rules(rule_items: Sequence[Any]) -> tuple[TableRule, ...]:
    row_rules = [getattr(rule_item, "rule", None) for rule_item in rule_items]
    if not all(isinstance(rule, TableRule) for rule in row_rules):
        text = "Rules takes data_subject(), on_close() or no_personal_data(). For fields, write:"
        raise _refused(text, 'personal={"name": Replace("...")}\nnot_personal=["name"]')
    return tuple(row_rules)  # type: ignore[arg-type]  # as checked above


def _read_mapping(keyword: str, said: Any, example: str) -> Mapping[str, Any]:
    if said is None or isinstance(said, Mapping):
        return said or {}
    names = (
        [each for each in said if isinstance(each, str)] if isinstance(said, (list, tuple)) else []
    )
    entries = ", ".join(f'"{name}": {example}' for name in names or ["name"])
    text = f"{keyword} must be a dictionary with a rule for each field, not {_kind(said)}:"
    raise _refused(text, f"{keyword}={{{entries}}}")


def _read_names(said: Any) -> tuple[str, ...]:
    if isinstance(said, (list, tuple, set, frozenset)) and all(isinstance(n, str) for n in said):
        return tuple(said)
    # A string is a sequence of strings too, so Python would accept its letters as names.
    text = f"not_personal must be a list of field names, not {_kind(said)}:"
    raise _refused(text, f'not_personal=["{said if isinstance(said, str) else "name"}"]')


def _read_column_rules(name: str, said: Any) -> tuple[ColumnRule, ...]:
    if isinstance(said, ColumnAction):
        return (ColumnRule(said),)
    rule_items = said if isinstance(said, (list, tuple)) else [said]
    row_rules = [getattr(rule_item, "rule", None) for rule_item in rule_items]
    if not row_rules or not all(isinstance(rule, ColumnRule) for rule in row_rules):
        text = f"personal gives {name} {_kind(said)}, which is not an action. Write one, such as:"
        raise _refused(text, f'personal={{"{name}": Replace("...")}}')
    return tuple(row_rules)  # type: ignore[arg-type]  # as checked above


def _kind(said: object) -> str:
    name = "class" if isinstance(said, type) else type(said).__name__
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def find_rules(model: type[Model]) -> Rules | None:
    """Return the rules of *model* from its class, its mixins and its abstract parents, or None."""
    found: Rules | None = None
    for _, rules in _iterate_attributes(model):
        if isinstance(rules, Rules):
            found = rules if found is None else found.with_defaults(rules)
    return found


def find_invalid_rules(model: type[Model]) -> Iterator[tuple[str, str]]:
    """Yield each class whose ``efface`` is not `Rules`, with the code to write instead."""
    for cls, said in _iterate_attributes(model):
        # A field or a method named `efface` belongs to the application.
        if not isinstance(said, Rules) and not hasattr(said, "__get__"):
            meta = getattr(cls, "_meta", None)
            yield (
                meta.label if meta else f"{cls.__module__}.{cls.__qualname__}",
                _suggest_rules(said),
            )


def _iterate_attributes(model: type[Model]) -> Iterator[tuple[type, Any]]:
    """Yield each class with an ``efface`` attribute, nearest class first."""
    for cls in model.__mro__:
        meta = getattr(cls, "_meta", None)
        # With multi-table inheritance, the rules of the parent apply to the parent's table.
        if cls is not model and meta is not None and not meta.abstract:
            continue
        if ATTRIBUTE in cls.__dict__:
            yield cls, cls.__dict__[ATTRIBUTE]


def _suggest_rules(said: Any) -> str:
    """Return the `Rules` that *said* was probably meant to be, as Python code."""
    rule_items = said if isinstance(said, (list, tuple)) else [said]
    if rule_items and all(
        isinstance(getattr(each, "rule", None), TableRule) for each in rule_items
    ):
        return f"Rules({', '.join(_format_rule(each.rule) for each in rule_items)})"
    if isinstance(said, Mapping) and all(isinstance(each, ColumnAction) for each in said.values()):
        fields = ", ".join(f"{_format_value(name)}: {each!r}" for name, each in said.items())
        return f"Rules(..., personal={{{fields}}})"
    return "Rules(...)"


def _format_rule(rule: TableRule) -> str:
    word = {SubjectRule: data_subject, CloseRule: on_close, NoPersonalDataRule: no_personal_data}[
        type(rule)
    ]
    default = SubjectRule() if isinstance(rule, SubjectRule) else None
    said = []
    for each in fields(rule):
        value = getattr(rule, each.name)
        if value in ((), getattr(default, each.name, ())):
            continue
        formatted = _format_value(list(value) if each.name in LISTS else value)
        said.append(formatted if each.name == "action" else f"{each.name}={formatted}")
    return f"{word.__name__}({', '.join(said)})"


def _format_value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_format_value, value))}]"
    is_plain = isinstance(value, str) and value.isprintable() and not {'"', "\\"} & set(value)
    return f'"{value}"' if is_plain else repr(value)


def map_columns(model: type[Model]) -> dict[str, str]:
    """Return the columns of the model's own table by each name that Django has for them."""
    # Names of fields last, because the column of one field may have the name of another field.
    known: dict[str, str] = {}
    for field in model._meta.local_concrete_fields:
        if field.column is not None:
            known |= {field.column: field.column, field.attname: field.column}
    for field in model._meta.local_concrete_fields:
        if field.column is not None:
            known[field.name] = field.column
    return known


class NameResolver:
    """Translate names in the rules of one model to names of the database."""

    def __init__(
        self, model: type[Model], table_name: Callable[[type[Model]], str], table: str
    ) -> None:
        """Look up names in *model*. Problems name *table*."""
        self._model, self._table_name, self._table = model, table_name, table
        self._columns = map_columns(model)
        self.problems: list[Problem] = []

    def resolve_column(self, name: str) -> str:
        """Return the column of a field. An unknown name adds a problem and stays unchanged."""
        if name not in self._columns:
            fields = [field.name for field in self._model._meta.local_concrete_fields]
            label = self._model._meta.label
            text = f"{name} is not a field of {label}.{did_you_mean(name, fields, listed=12)}"
            self.problems.append(Problem("E606", self._table, name, text))
        return self._columns.get(name, name)

    def resolve_rule(self, rule: TableRule) -> TableRule:
        """Return *rule* with names of the database."""
        if isinstance(rule, NoPersonalDataRule):
            return rule
        identifiers = tuple(map(self.resolve_column, rule.identifiers))
        not_personal = tuple(map(self.resolve_column, rule.not_personal))
        if isinstance(rule, SubjectRule):
            deleted_at = self._columns.get(rule.deleted_at, rule.deleted_at)
            return replace(
                rule, identifiers=identifiers, not_personal=not_personal, deleted_at=deleted_at
            )
        action = rule.action
        if isinstance(action, Retain) and action.start not in TERMS:
            action = replace(action, start=self.resolve_column(action.start))
        via = self.resolve_via(rule.via)
        return replace(
            rule, action=action, via=via, identifiers=identifiers, not_personal=not_personal
        )

    def resolve_column_rule(self, rule: ColumnRule) -> ColumnRule:
        """Return *rule* with names of the database."""
        return rule if rule.via is None else replace(rule, via=self.resolve_via(rule.via))

    def resolve_via(self, via: Via) -> Via:
        """Return a relationship with names of the database."""
        if isinstance(via, tuple):
            return tuple(map(self.resolve_column, via))
        if not isinstance(via, str):
            return self._resolve_criterion(via)
        # Resolve a path model by model, because each name belongs to the model before it.
        first, _, onward = via.partition(".")
        column = self.resolve_column(first)
        if not onward:
            return column
        target = next(
            (
                field.target_field.model
                for field in self._model._meta.local_concrete_fields
                if field.column == column and field.is_relation
            ),
            None,
        )
        if target is None:
            return f"{column}.{onward}"
        target_resolver = NameResolver(target, self._table_name, self._table)
        rest = target_resolver.resolve_via(onward)
        self.problems += target_resolver.problems
        return f"{column}.{rest}"

    def _resolve_criterion(self, via: MatchBy | OwnedBy | Generic) -> Via:
        if isinstance(via, MatchBy):
            return replace(
                via, column=self.resolve_column(via.column), equals=self._resolve_place(via.equals)
            )
        if isinstance(via, OwnedBy):
            return OwnedBy(by=self._resolve_place(via.by))
        return Generic(
            self.resolve_column(via.type_column),
            self.resolve_column(via.id_column),
            self._resolve_type(via),
        )

    def _resolve_type(self, via: Generic) -> str | tuple[str, ...]:
        """Return the type in a generic foreign key, as content types store it if it refers to them.

        Rows about a user can name a proxy or a multi-table subclass too, as the admin's log does.
        So the result contains each model that shares its primary key with the named one.
        """
        fields = {each.name: each for each in self._model._meta.local_concrete_fields}
        if via.type_column not in fields or not fields[via.type_column].is_relation:
            return via.type
        named = [each for name in via.names if (each := self._find_model(name, via)) is not None]
        if len(named) < len(via.names):
            return via.type
        roots = {find_root_model(model) for model in named}
        kinds = [
            each._meta.label_lower for each in apps.get_models() if find_root_model(each) in roots
        ]
        return kinds[0] if len(kinds) == 1 else tuple(sorted(kinds))

    def _find_model(self, name: str, via: Generic) -> type[Model] | None:
        # A rule may name a model without its app, if only one model has this name.
        known: dict[str, type[Model]] = {m._meta.label_lower: m for m in apps.get_models()}
        label_sought = name.lower()
        found = [each for each in known if label_sought in (each, each.partition(".")[2])]
        if len(found) == 1:
            return known[found[0]]
        labels = [model._meta.label for model in apps.get_models()]
        text = f"{name} is not the label of a model.{did_you_mean(name, labels)}"
        self.problems.append(Problem("E606", self._table, via.type_column, text))
        return None

    def _resolve_place(self, place: str) -> str:
        """Return ``app.Model.field`` or ``table.field`` as ``table.column``."""
        left, _, name = place.rpartition(".")
        for model in apps.get_models(include_auto_created=True):
            if not model._meta.proxy and left in (model._meta.label, self._table_name(model)):
                target_resolver = NameResolver(model, self._table_name, self._table)
                column = target_resolver.resolve_column(name)
                self.problems += target_resolver.problems
                return f"{self._table_name(model)}.{column}"
        return place


def resolve_rules(
    rules: Rules, names: NameResolver
) -> tuple[list[RuleItem], dict[str, list[RuleItem]]]:
    """Return the rules of a table, and the rules of its columns by name."""
    columns: dict[str, list[RuleItem]] = {}
    for name, row_rules in _iterate_column_rules(rules, names):
        columns.setdefault(name, []).extend(RuleItem(rule, Column) for rule in row_rules)
    return [RuleItem(names.resolve_rule(rule), Table) for rule in rules.row_rules], columns


def _iterate_column_rules(
    rules: Rules, names: NameResolver
) -> Iterator[tuple[str, list[ColumnRule]]]:
    for name, said in rules.personal.items():
        yield names.resolve_column(name), [names.resolve_column_rule(rule) for rule in said]
    for name in rules.not_personal:
        yield names.resolve_column(name), [ColumnRule(None)]


def find_root_model(model: type[Model]) -> type[Model]:
    """Return the model that the primary key of *model* comes from."""
    model = model._meta.concrete_model
    while getattr(model._meta.pk.remote_field, "parent_link", False):
        model = model._meta.pk.related_model
    return model
