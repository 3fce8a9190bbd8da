"""Define `Rules`: what Efface does with rows and fields of a model, next to its fields.

Rules use names of Django's fields, which `efface.django.field_names` translates to columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from django.db.models import Model

from efface.errors import Problem, RulesError
from efface.policy.actions import ColumnAction
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

TableRule = SubjectRule | CloseRule | NoPersonalDataRule
FieldRule = ColumnAction | RuleItem | Sequence[RuleItem]
ATTRIBUTE = "efface"
LISTS = ("identifiers", "not_personal")


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
    # With multi-table inheritance, the rules of the parent apply to the parent's table, and so do
    # those that it has from mixins and abstract parents.
    tables = [
        cls
        for cls in model.__mro__
        if (meta := getattr(cls, "_meta", None)) is not None
        and not meta.abstract
        and meta.concrete_model is not model._meta.concrete_model
    ]
    for cls in model.__mro__:
        meta = getattr(cls, "_meta", None)
        is_other = cls is not model and meta is not None and not meta.abstract
        if is_other or any(issubclass(each, cls) for each in tables):
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
