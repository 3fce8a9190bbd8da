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
from efface.policy.actions import ColumnAction, Delete, Redact, Retain, RowAction
from efface.policy.declarations import (
    CloseRule,
    ColumnRule,
    NoPersonalDataRule,
    SubjectRule,
    rules_in,
)
from efface.policy.relationships import Via, compared_columns
from efface.policy.toml import reader, writer


@dataclass(frozen=True, slots=True)
class PersonalColumn:
    """A column whose value goes, how, and through which link it is the person's."""

    name: str
    action: ColumnAction
    via: Via | None


@dataclass(frozen=True)
class TableRules:
    """Everything that was declared about one table; `check` says whether it is enough."""

    table: Table
    subjects: tuple[SubjectRule, ...]
    close_rules: tuple[CloseRule, ...]
    no_personal_data: tuple[NoPersonalDataRule, ...]
    columns: Mapping[str, tuple[ColumnRule, ...]]

    @property
    def name(self) -> str:
        """Return the table's full name."""
        return self.table.fullname

    @property
    def has_rules(self) -> bool:
        """Return whether a marker says what the table is."""
        return bool(self.subjects or self.close_rules or self.no_personal_data)

    @property
    def keeps_rows(self) -> bool:
        """Return whether some row stays for good, so that each column needs a decision."""
        actions: list[RowAction] = [rule.action for rule in self.subjects]
        actions += [rule.action for rule in self.close_rules]
        return any(
            isinstance(action, Redact)
            or (isinstance(action, Retain) and isinstance(action.then, Redact))
            for action in actions
        )

    def overwrites(self, via: Via) -> bool:
        """Return whether redacting a row also overwrites the columns of the relationship *via*."""
        return any(isinstance(rule.action, Redact) for rule in self.close_rules) and any(
            rule.action is not None and (rule.via is None or name in compared_columns(rule.via))
            for name in compared_columns(via)
            for rule in self.columns.get(name, ())
        )

    def personal_columns(self) -> tuple[PersonalColumn, ...]:
        """Return the columns that column actions change; one per link where links differ."""
        return tuple(
            PersonalColumn(name, rule.action, rule.via)
            for name, rules in self.columns.items()
            for rule in rules
            if rule.action is not None
        )


@dataclass(frozen=True)
class Policy:
    """What happens to every table and column when a person leaves."""

    metadata: MetaData
    tables: Mapping[str, TableRules]

    @classmethod
    def from_metadata(cls, metadata: MetaData) -> Policy:
        """Return the policy that the markers in *metadata* declare.

        Nothing is checked here: an application can be imported while a column is undecided, and
        `efface.policy.check.check` then lists everything at once.
        """
        return cls(metadata, MappingProxyType(_all_table_rules(metadata, {})))

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
        decided: dict[str, reader.DeclaredRules] = {}
        for each in paths:
            for name, said in reader.read(each, metadata).items():
                decided[name] = _merged_rules(decided.get(name, reader.DeclaredRules()), said)
        return cls(metadata, MappingProxyType(_all_table_rules(metadata, decided)))

    def with_metadata(self, metadata: MetaData) -> Policy:
        """Return the same decisions over the tables of *metadata* that have the same names."""
        decided = {name: _declared_rules(table_rules) for name, table_rules in self.tables.items()}
        return Policy(metadata, MappingProxyType(_all_table_rules(metadata, decided)))

    def to_file(self, path: str | Path) -> None:
        """Write the policy to *path* as TOML, for `from_file` and for people.

        Raises:
            MissingExtraError: tomlkit is not installed.
            ValueError: a replacement is of a type that a file cannot hold.
        """
        decisions = {
            name: _declared_rules(table_rules) for name, table_rules in self.tables.items()
        }
        said = {name: each for name, each in decisions.items() if each.table or each.columns}
        Path(path).write_text(writer.policy_to_toml(said), encoding="utf-8")

    @cached_property
    def subject_table_rules(self) -> TableRules:
        """Return the rule of the table whose rows are people.

        Raises:
            SubjectTableError: not exactly one table carries `data_subject`.
        """
        rules = [table_rules for table_rules in self.tables.values() if table_rules.subjects]
        if len(rules) != 1:
            raise SubjectTableError(subject_problems(self))
        return rules[0]

    @property
    def subject_table(self) -> Table:
        """Return the table whose rows are people."""
        return self.subject_table_rules.table

    @property
    def subject(self) -> SubjectRule:
        """Return what `data_subject` said."""
        return self.subject_table_rules.subjects[0]

    @property
    def removes_subject(self) -> bool:
        """Return whether the person's own row goes, so that no tombstone remains."""
        return isinstance(self.subject.action, Delete)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the decisions; equal policies have equal digests."""
        tables = {name: _canonical(table_rules) for name, table_rules in self.tables.items()}
        text = json.dumps(tables, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def subject_problems(policy: Policy) -> list[Problem]:
    """Return the problem of having no table, or several, whose rows are people."""
    names = [name for name, table_rules in policy.tables.items() if table_rules.subjects]
    if len(names) == 1 and len(policy.tables[names[0]].subjects) == 1:
        return []
    if not names:
        text = "No table is marked as the one whose rows are people."
        paste = '__table_args__ = (data_subject(identifiers=["email"]),)'
        return [Problem("E102", "(policy)", None, text, paste)]
    text = "More than one data_subject() marks a table of people; a policy has exactly one."
    return [Problem("E102", name, None, text) for name in names]


def _merged_rules(one: reader.DeclaredRules, other: reader.DeclaredRules) -> reader.DeclaredRules:
    columns = dict(one.columns)
    for name, rules in other.columns.items():
        columns[name] = _merged(columns.get(name, []), rules)
    return reader.DeclaredRules(_merged(one.table, other.table), columns)


def _all_table_rules(
    metadata: MetaData, decided: Mapping[str, reader.DeclaredRules]
) -> dict[str, TableRules]:
    return {
        name: _table_rules(table, decided.get(name, reader.DeclaredRules()))
        for name, table in sorted(metadata.tables.items())
    }


def _table_rules(table: Table, decided: reader.DeclaredRules) -> TableRules:
    rules = _merged(rules_in(table), decided.table)
    columns = {
        column.name: _merged(rules_in(column), decided.columns.get(column.name, ()))
        for column in table.columns
    }
    for rule in rules:
        for name in getattr(rule, "not_personal", ()):
            # An unknown name is kept, so that `check` can report it with the nearest known one.
            columns.setdefault(name, []).append(ColumnRule(None))
    return TableRules(
        table=table,
        subjects=tuple(rule for rule in rules if isinstance(rule, SubjectRule)),
        close_rules=tuple(rule for rule in rules if isinstance(rule, CloseRule)),
        no_personal_data=tuple(rule for rule in rules if isinstance(rule, NoPersonalDataRule)),
        columns=MappingProxyType({name: tuple(found) for name, found in columns.items()}),
    )


def _merged(rule_items: list[Any], decided: Sequence[Any]) -> list[Any]:
    """Return both; what a file only repeats is one decision."""
    return [*rule_items, *(rule for rule in decided if rule not in rule_items)]


def _declared_rules(table_rules: TableRules) -> reader.DeclaredRules:
    rules: list[reader.TableRule] = [
        *table_rules.subjects,
        *table_rules.close_rules,
        *table_rules.no_personal_data,
    ]
    columns = {name: list(found) for name, found in table_rules.columns.items() if found}
    for rule in rules:
        for name in getattr(rule, "not_personal", ()):
            # Said by the mark of the table; the file says it there as well.
            columns[name].remove(ColumnRule(None))
    return reader.DeclaredRules(rules, {name: found for name, found in columns.items() if found})


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
