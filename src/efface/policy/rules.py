"""The policy as one value: every table's and every column's decision, gathered from metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import MetaData, Table

from efface.errors import Problem, SubjectTableError
from efface.policy import document, file
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

    name: str
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

    def personal_columns(self) -> tuple[PersonalColumn, ...]:
        """Return the columns that column actions change; one per link where links differ."""
        return tuple(
            PersonalColumn(name, mark.action, mark.via)
            for name, marks in self.columns.items()
            for mark in marks
            if mark.action is not None
        )


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
        return cls(metadata, MappingProxyType(_rules(metadata, {})))

    @classmethod
    def from_file(cls, path: str | Path | Sequence[str | Path], metadata: MetaData) -> Policy:
        """Return the policy of the TOML file at *path*, together with the markers in *metadata*.

        A file can decide whole schemas, or only the tables that one does not own; several files
        are several paths, such as those of `efface.preset`. What is said already may be repeated;
        a column decided in two ways is a problem of `check`.

        Raises:
            UnreadableFileError: a file is not TOML, or not all of it.
            PolicyFileError: it names tables, columns, actions or words that do not exist.
        """
        paths = [path] if isinstance(path, (str, Path)) else path
        decided: dict[str, file.Decisions] = {}
        for each in paths:
            for name, said in file.read(each, metadata).items():
                decided[name] = _both(decided.get(name, file.Decisions()), said)
        return cls(metadata, MappingProxyType(_rules(metadata, decided)))

    def over(self, metadata: MetaData) -> Policy:
        """Return the same decisions over the tables of *metadata* that have the same names."""
        decided = {name: _decisions(rule) for name, rule in self.tables.items()}
        return Policy(metadata, MappingProxyType(_rules(metadata, decided)))

    def to_file(self, path: str | Path) -> None:
        """Write the policy to *path* as TOML, for `from_file` and for people.

        Raises:
            MissingExtraError: tomlkit is not installed.
            ValueError: a replacement is of a type that a file cannot hold.
        """
        decisions = {name: _decisions(rule) for name, rule in self.tables.items()}
        said = {name: each for name, each in decisions.items() if each.table or each.columns}
        Path(path).write_text(document.document(said), encoding="utf-8")

    @cached_property
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


def _both(one: file.Decisions, other: file.Decisions) -> file.Decisions:
    columns = dict(one.columns)
    for name, marks in other.columns.items():
        columns[name] = _united(columns.get(name, []), marks)
    return file.Decisions(_united(one.table, other.table), columns)


def _rules(metadata: MetaData, decided: Mapping[str, file.Decisions]) -> dict[str, TableRule]:
    return {
        name: _rule(table, decided.get(name, file.Decisions()))
        for name, table in sorted(metadata.tables.items())
    }


def _rule(table: Table, decided: file.Decisions) -> TableRule:
    marks = _united(marks_of(table), decided.table)
    columns = {
        column.name: _united(marks_of(column), decided.columns.get(column.name, ()))
        for column in table.columns
    }
    for mark in marks:
        for name in getattr(mark, "not_personal", ()):
            # An unknown name is kept, so that `check` can report it with the nearest known one.
            columns.setdefault(name, []).append(ColumnMark(None))
    return TableRule(
        table=table,
        subjects=tuple(mark for mark in marks if isinstance(mark, SubjectMark)),
        leavings=tuple(mark for mark in marks if isinstance(mark, LeavingMark)),
        unrelated=tuple(mark for mark in marks if isinstance(mark, UnrelatedMark)),
        columns=MappingProxyType({name: tuple(found) for name, found in columns.items()}),
    )


def _united(markers: list[Any], decided: Sequence[Any]) -> list[Any]:
    """Return both; what a file only repeats is one decision."""
    return [*markers, *(mark for mark in decided if mark not in markers)]


def _decisions(rule: TableRule) -> file.Decisions:
    marks: list[file.TableMark] = [*rule.subjects, *rule.leavings, *rule.unrelated]
    columns = {name: list(found) for name, found in rule.columns.items() if found}
    for mark in marks:
        for name in getattr(mark, "not_personal", ()):
            # Said by the mark of the table; the file says it there as well.
            columns[name].remove(ColumnMark(None))
    return file.Decisions(marks, {name: found for name, found in columns.items() if found})


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
