"""Convert rules, actions and relationships to plain data and back, field by field.

The fields of an action are next to those of its rule, as in Python: ``action = "Retain"``,
``period = "P10Y"``. A relationship with fields of its own names its class: ``link = "MatchBy"``.
Fields with their default value are left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID

from sqlalchemy import Column

from efface.errors import NOTHING_CHANGED, EffaceError, RuleArgumentError
from efface.policy.column_types import python_type
from efface.policy.did_you_mean import did_you_mean

PLAIN = (bool, int, float, datetime, date, time)
VALUE_KINDS = {"action": "an action here", "via": "a kind of relationship"}
CLASS_KEYS = {"action": "action", "via": "link", "then": "action"}
"""The key that names the class of a nested value; its other keys are the fields."""


class Rejected(Exception):  # noqa: N818  # never leaves the reading of a file
    """A value that does not fit its field; the reader turns it into a `Problem`."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def choices(hint: Any) -> dict[str, Any]:
    """Return the dataclasses that the type *hint* allows, by name."""
    options = get_args(hint) or (hint,)
    classes = [option for option in options if isinstance(option, type)]
    return {option.__name__: option for option in classes if is_dataclass(option)}


class RecordReader:
    """Read one table of a file: each key is removed when it is read, and none may remain."""

    def __init__(self, data: dict[str, Any], column: Column[Any] | None) -> None:
        """Prepare to read *data*; *column* determines the type of a replacement value."""
        self._data = data
        self._column = column

    def read(self, cls: Any, word: str, inlined: str = "") -> Any:
        """Return the *cls* that the data describes.

        Args:
            cls: A frozen dataclass.
            word: The key for it in the file.
            inlined: A field whose value has its own fields next to those of *cls*.

        Raises:
            Rejected: a key is unknown or missing, or its value is of the wrong type.
        """
        allowed = [each.name for each in fields(cls)]
        values: dict[str, Any] = {}
        if inlined in allowed:
            hint = _hints(cls)[inlined]
            made, inner = self._choice(inlined, hint, self._data.pop(inlined, MISSING))
            allowed += inner
            if made is not MISSING:
                values[inlined] = made
        for name in [name for name in allowed if name in _hints(cls) and name in self._data]:
            values[name] = self._value(name, _hints(cls)[name], self._data.pop(name))
        self._nothing_left(allowed)
        return _make(cls, values, word)

    def _choice(self, key: str, hint: Any, name: Any) -> tuple[Any, list[str]]:
        """Return an instance of the class *name* with its fields from the data, and their names."""
        known = choices(hint)
        if name is MISSING:
            return MISSING, []
        if not isinstance(name, str):
            raise Rejected(f'{key} must be a name: {key} = "{next(iter(known))}"')
        if name not in known:
            hinted = did_you_mean(name, known, listed=12)
            raise Rejected(f"{name} is not {VALUE_KINDS.get(key, f'a value of {key}')}.{hinted}")
        cls = known[name]
        hints = _hints(cls)
        own = [each.name for each in fields(cls)]
        found = [each for each in own if each in self._data]
        values = {each: self._value(each, hints[each], self._data.pop(each)) for each in found}
        for each in own:
            # `to_data` writes null, and lists or documents with it, as JSON text under this key.
            if (text := self._data.pop(f"{each}_json", None)) is not None:
                values[each] = _from_json(f"{each}_json", text)
        return _make(cls, values, name), own

    def _value(self, name: str, hint: Any, value: Any) -> Any:
        if choices(hint) and (isinstance(value, dict) or str not in get_args(hint)):
            return self._nested(name, hint, value)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return _member(name, hint, value)
        if get_origin(hint) is tuple or (_is_list(hint) and isinstance(value, list)):
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                raise Rejected(f'{name} must be a list of names: {name} = ["…"]')
            return tuple(value)
        # Only a replacement value has no type of its own: it has that of the column.
        if hint is Any:
            return _typed(value, self._column)
        if not _fits(value, hint):
            raise Rejected(f"{name} can't be of type {type(value).__name__}.")
        return value

    def _nested(self, name: str, hint: Any, value: Any) -> Any:
        key = CLASS_KEYS.get(name, name)
        record = RecordReader(
            dict(value) if isinstance(value, dict) else {key: value}, self._column
        )
        made, allowed = record._choice(key, hint, record._data.pop(key, MISSING))
        if made is MISSING:
            known = ", ".join(choices(hint))
            raise Rejected(
                f'{name} does not say which one it is. Add {key} = "…", with one of: {known}.'
            )
        record._nothing_left([key, *allowed])
        return made

    def _nothing_left(self, allowed: list[str]) -> None:
        for name in self._data:
            raise Rejected(f"{name} is not a key here.{did_you_mean(name, allowed, listed=12)}")


def _make(cls: Any, values: dict[str, Any], name: str) -> Any:
    missing = [
        each.name
        for each in fields(cls)
        if each.name not in values and each.default is MISSING and each.default_factory is MISSING
    ]
    if missing:
        raise Rejected(f"{name} needs {' and '.join(missing)}.")
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        said = error.message() if isinstance(error, EffaceError) else str(error)
        raise Rejected(f"{name} does not accept these values: {said}") from None


def _is_list(hint: Any) -> bool:
    return any(get_origin(option) is tuple for option in (hint, *get_args(hint)))


def _fits(value: Any, hint: Any) -> bool:
    options = get_args(hint) or (hint,)
    plain = [option for option in options if isinstance(option, type)]
    # A bool is an int to Python, but no number in a policy.
    if not plain or isinstance(value, bool):
        return bool in plain or not plain
    return isinstance(value, tuple(plain))


def _member(name: str, cls: type[Enum], value: Any) -> Enum:
    known = {str(member.value): member for member in cls}
    if not isinstance(value, str) or value not in known:
        hint = did_you_mean(str(value), known, listed=12)
        raise Rejected(f"{name} is not one of the {len(known)} known values.{hint}")
    return known[value]


def _from_json(name: str, text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        raise Rejected(f"{name} is not valid JSON.") from None


def _typed(value: Any, column: Column[Any] | None) -> Any:
    """Return *value* in the column's type, because TOML has no decimals or UUIDs."""
    kind = None if column is None else python_type(column)
    if not isinstance(value, str) or kind is None:
        return value
    try:
        if kind is bytes:
            return bytes.fromhex(value)
        if issubclass(kind, Enum):
            return kind[value]
        if kind in (Decimal, UUID):
            return kind(value)
        if kind is timedelta:
            return timedelta(seconds=float(value.removeprefix("PT").removesuffix("S")))
    except (ArithmeticError, KeyError, ValueError):
        members = f" Known are: {', '.join(kind.__members__)}." if issubclass(kind, Enum) else ""
        raise Rejected(f"The value is not of type {kind.__name__}.{members}") from None
    return value


def to_data(value: Any, inlined: str = "") -> dict[str, Any]:
    """Return the fields of *value* that differ from their defaults, as data for TOML.

    Args:
        value: A rule, an action or a relationship.
        inlined: The field whose own fields are written next to those of *value*.

    Raises:
        RuleArgumentError: TOML has no form for a value's type.
    """
    data: dict[str, Any] = {}
    cls: Any = type(value)
    hints = _hints(cls)
    for each in fields(value):
        part = getattr(value, each.name)
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        if part == default:
            continue
        if each.name == inlined:
            data = {each.name: type(part).__name__, **to_data(part), **data}
        elif is_dataclass(part) and not isinstance(part, type):
            inner = to_data(part)
            key, name = CLASS_KEYS.get(each.name, each.name), type(part).__name__
            data[each.name] = {key: name, **inner} if inner or key == "link" else name
        else:
            data.update(_to_toml(each.name, part, anything=hints[each.name] is Any))
    return data


_AS_TEXT: Mapping[Any, Callable[[Any], str]] = {
    (Decimal, UUID): str,
    bytes: bytes.hex,
    # A duration of ISO 8601, in seconds alone.
    timedelta: lambda value: f"PT{value.total_seconds():g}S",
}
"""How values are written that TOML has no type for; `_typed` reads them."""


def _to_toml(name: str, value: Any, *, anything: bool) -> Mapping[str, Any]:
    if isinstance(value, tuple) and not anything:
        return {name: list(value)}
    if isinstance(value, Enum):
        # SQLAlchemy stores an application's enum by name; our own enums read better by value.
        return {name: value.name if anything else value.value}
    for kinds, write in _AS_TEXT.items():
        if isinstance(value, kinds):
            return {name: write(value)}
    if isinstance(value, (str, *PLAIN)):
        return {name: value}
    # TOML has no null, neither as a value nor inside a list or a document.
    try:
        return {f"{name}_json": json.dumps(value, ensure_ascii=False)}
    except TypeError:
        raise RuleArgumentError(
            f"A value of type {type(value).__name__} can't be written to a policy file. "
            f"{NOTHING_CHANGED} Keep this rule in the models."
        ) from None
