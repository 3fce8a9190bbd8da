"""The policy as one value: every table's and every column's decision, gathered from metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import MetaData, Table

from efface.errors import Problem, SubjectTableError
from efface.policy.actions import ColumnAction, Delete, Redact, Retain, RowAction
from efface.policy.markers import (
    ColumnMark,
    LeavingMark,
    SubjectMark,
    UnrelatedMark,
    Via,
    marks_of,
)


@dataclass(frozen=True, slots=True)
class PersonalColumn:
    """A column whose value goes, how, and through which link it is the person's."""

    action: ColumnAction
    via: Via | None


@dataclass(frozen=True)
class TableRule:
    """Everything that was declared about one table; `check` says whether it is enough."""

    table: Table
    subjects: tuple[SubjectMark, ...]
    leavings: tuple[LeavingMark, ...]
    unrelated: tuple[UnrelatedMark, ...]
    columns: Mapping[str, tuple[ColumnMark, ...]]

    @property
    def name(self) -> str:
        """Return the table's full name."""
        return self.table.fullname

    @property
    def is_decided(self) -> bool:
        """Return whether a marker says what the table is."""
        return bool(self.subjects or self.leavings or self.unrelated)

    @property
    def keeps_rows(self) -> bool:
        """Return whether some row stays for good, so that each column needs a decision."""
        actions: list[RowAction] = [mark.action for mark in self.subjects]
        actions += [mark.action for mark in self.leavings]
        return any(
            isinstance(action, Redact)
            or (isinstance(action, Retain) and isinstance(action.then, Redact))
            for action in actions
        )

    def personal_columns(self) -> dict[str, PersonalColumn]:
        """Return the columns that a column action changes, by name."""
        return {
            name: PersonalColumn(mark.action, mark.via)
            for name, marks in self.columns.items()
            for mark in marks
            if mark.action is not None
        }


@dataclass(frozen=True)
class Policy:
    """What happens to every table and column when a person leaves."""

    metadata: MetaData
    tables: Mapping[str, TableRule]

    @classmethod
    def from_metadata(cls, metadata: MetaData) -> Policy:
        """Return the policy that the markers in *metadata* declare.

        Nothing is checked here: an application can be imported while a column is undecided, and
        `efface.policy.check.check` then lists everything at once.
        """
        tables = {name: _rule(table) for name, table in sorted(metadata.tables.items())}
        return cls(metadata, MappingProxyType(tables))

    @property
    def subject_rule(self) -> TableRule:
        """Return the rule of the table whose rows are people.

        Raises:
            SubjectTableError: not exactly one table carries `data_subject`.
        """
        rules = [rule for rule in self.tables.values() if rule.subjects]
        if len(rules) != 1:
            raise SubjectTableError(subject_problems(self))
        return rules[0]

    @property
    def subject_table(self) -> Table:
        """Return the table whose rows are people."""
        return self.subject_rule.table

    @property
    def subject(self) -> SubjectMark:
        """Return what `data_subject` said."""
        return self.subject_rule.subjects[0]

    @property
    def removes_subject(self) -> bool:
        """Return whether the person's own row goes, so that no tombstone remains."""
        return isinstance(self.subject.action, Delete)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the decisions; equal policies have equal digests."""
        tables = {name: _canonical(rule) for name, rule in self.tables.items()}
        text = json.dumps(tables, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def subject_problems(policy: Policy) -> list[Problem]:
    """Return the problem of having no table, or several, whose rows are people."""
    names = [name for name, rule in policy.tables.items() if rule.subjects]
    if len(names) == 1 and len(policy.tables[names[0]].subjects) == 1:
        return []
    if not names:
        text = "No table is marked as the one whose rows are people."
        paste = '__table_args__ = (data_subject(identifiers=["email"]),)'
        return [Problem("E102", "(policy)", None, text, paste)]
    text = "More than one data_subject() marks a table of people; a policy has exactly one."
    return [Problem("E102", name, None, text) for name in names]


def _rule(table: Table) -> TableRule:
    marks = marks_of(table)
    columns = {column.name: list(marks_of(column)) for column in table.columns}
    for mark in marks:
        for name in getattr(mark, "not_personal", ()):
            # An unknown name is kept, so that `check` can report it with the nearest known one.
            columns.setdefault(name, []).append(ColumnMark(None, None))
    return TableRule(
        table=table,
        subjects=tuple(mark for mark in marks if isinstance(mark, SubjectMark)),
        leavings=tuple(mark for mark in marks if isinstance(mark, LeavingMark)),
        unrelated=tuple(mark for mark in marks if isinstance(mark, UnrelatedMark)),
        columns=MappingProxyType({name: tuple(found) for name, found in columns.items()}),
    )


def _canonical(value: Any) -> Any:
    """Return *value* as plain JSON data in which every action names its class."""
    if isinstance(value, Table):
        return value.fullname
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: _canonical(getattr(value, f.name)) for f in fields(value)}
        return {"is": type(value).__name__, **parts}
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_canonical(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)
