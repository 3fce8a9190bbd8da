"""Collect the rules of all tables and columns into one value, the policy."""

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
    """A column with personal data, its action, and the relationship to whose data it is."""

    name: str
    action: ColumnAction
    via: Via | None


@dataclass(frozen=True)
class TableRules:
    """All rules of one table and its columns; `check` tells whether any is missing."""

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
        """Return whether the table itself has a rule."""
        return bool(self.subjects or self.close_rules or self.no_personal_data)

    @property
    def keeps_rows(self) -> bool:
        """Return whether rows may remain without their values, so that each column needs a rule."""
        actions: list[RowAction] = [rule.action for rule in self.subjects]
        actions += [rule.action for rule in self.close_rules]
        return any(
            isinstance(action, Redact)
            or (isinstance(action, Retain) and isinstance(action.then, Redact))
            for action in actions
        )

    def overwrites(self, via: Via) -> bool:
        """Return whether redacting a row also overwrites the columns of the relationship *via*."""
        # Only redaction writes columns: other actions delete a row or retain it as a whole.
        return any(isinstance(rule.action, Redact) for rule in self.close_rules) and any(
            rule.action is not None and (rule.via is None or name in compared_columns(rule.via))
            for name in compared_columns(via)
            for rule in self.columns.get(name, ())
        )

    def personal_columns(self) -> tuple[PersonalColumn, ...]:
        """Return the columns with an action, once for each relationship they name."""
        return tuple(
            PersonalColumn(name, rule.action, rule.via)
            for name, rules in self.columns.items()
            for rule in rules
            if rule.action is not None
        )


@dataclass(frozen=True)
class Policy:
    """The rules for every table and column when a user's account is closed.

    A policy is frozen. It comes from rules in the models, from files, or from both.

    Attributes:
        metadata: The tables.
        tables: The rules by table name, with the schema if there is one.
    """

    metadata: MetaData
    tables: Mapping[str, TableRules]

    @classmethod
    def from_metadata(cls, metadata: MetaData) -> Policy:
        """Return the policy that the models in *metadata* declare.

        Import every model first. Nothing is checked yet, so your application can start while a
        column has no rule: ``efface check`` and `Eraser.check` list everything that is missing.

        Example:
            >>> policy = Policy.from_metadata(Base.metadata)
            >>> policy.subject_table.name
            'users'
        """
        return cls(metadata, MappingProxyType(_all_table_rules(metadata, {})))

    @classmethod
    def from_file(cls, path: str | Path | Sequence[str | Path], metadata: MetaData) -> Policy:
        """Return the policy from TOML files, together with the rules in *metadata*.

        A file can have all rules, or only those for tables that you don't own. It may repeat a
        rule of the models. `Eraser.check` reports rules that contradict each other.

        Args:
            path: A file, or several, such as those that `preset` returns.
            metadata: The tables.

        Raises:
            UnreadableFileError: a file is not TOML.
            PolicyFileError: a file names a table, column, action or key that does not exist.

        Example:
            >>> _ = Path("efface.toml").write_text('''
            ... [tables.posts]
            ... not_personal = ["title"]
            ... [[tables.posts.on_close]]
            ... action = "Redact"
            ... via = "author_id"
            ... [tables.posts.personal]
            ... ip = "Clear"
            ... ''')
            >>> policy = Policy.from_file("efface.toml", Base.metadata)
            >>> [column.name for column in policy.tables["posts"].personal_columns()]
            ['body', 'details', 'ip']
        """
        # A str is a sequence of str, too, so it must be told apart first.
        paths = [path] if isinstance(path, (str, Path)) else path
        declared: dict[str, reader.DeclaredRules] = {}
        for each in paths:
            for name, rules in reader.read(each, metadata).items():
                declared[name] = _merged_rules(declared.get(name, reader.DeclaredRules()), rules)
        return cls(metadata, MappingProxyType(_all_table_rules(metadata, declared)))

    def with_metadata(self, metadata: MetaData) -> Policy:
        """Return the same rules for the tables of *metadata* with the same names."""
        declared = {name: _declared_rules(table_rules) for name, table_rules in self.tables.items()}
        return Policy(metadata, MappingProxyType(_all_table_rules(metadata, declared)))

    def to_file(self, path: str | Path) -> None:
        """Write the policy to *path* as TOML that `from_file` reads.

        Raises:
            MissingExtraError: tomlkit is not installed.
            RuleArgumentError: TOML has no form for a replacement's type.
        """
        declared = {name: _declared_rules(table_rules) for name, table_rules in self.tables.items()}
        # A table without rules is left out, so that the file is as incomplete as the models are.
        written = {name: each for name, each in declared.items() if each.table or each.columns}
        Path(path).write_text(writer.policy_to_toml(written), encoding="utf-8")

    @cached_property
    def subject_table_rules(self) -> TableRules:
        """Return the rules of the users' table.

        Raises:
            SubjectTableError: no table has `data_subject`, or several have.
        """
        rules = [table_rules for table_rules in self.tables.values() if table_rules.subjects]
        if len(rules) != 1:
            raise SubjectTableError(subject_problems(self))
        return rules[0]

    @property
    def subject_table(self) -> Table:
        """Return the users' table.

        Raises:
            SubjectTableError: no table has `data_subject`, or several have.
        """
        return self.subject_table_rules.table

    @property
    def subject(self) -> SubjectRule:
        """Return the arguments of `data_subject`.

        Raises:
            SubjectTableError: no table has `data_subject`, or several have.
        """
        return self.subject_table_rules.subjects[0]

    @property
    def removes_subject(self) -> bool:
        """Return whether the user's own row is deleted, so that no tombstone remains."""
        return isinstance(self.subject.action, Delete)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of all rules; equal policies have equal digests."""
        tables = {name: _canonical(table_rules) for name, table_rules in self.tables.items()}
        text = json.dumps(tables, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def subject_problems(policy: Policy) -> list[Problem]:
    """Return a problem if no table is declared as the users' table, or several are."""
    names = [name for name, table_rules in policy.tables.items() if table_rules.subjects]
    if len(names) == 1 and len(policy.tables[names[0]].subjects) == 1:
        return []
    if not names:
        text = "No table has the rule data_subject(). Add it to the table of your users:"
        paste = '__table_args__ = (data_subject(identifiers=["email"]),)'
        return [Problem("E102", "(policy)", None, text, paste)]
    text = "The policy has data_subject() more than once. Keep it on the table of your users only."
    return [Problem("E102", name, None, text) for name in names]


def _merged_rules(one: reader.DeclaredRules, other: reader.DeclaredRules) -> reader.DeclaredRules:
    columns = dict(one.columns)
    for name, rules in other.columns.items():
        columns[name] = _merged(columns.get(name, []), rules)
    return reader.DeclaredRules(_merged(one.table, other.table), columns)


def _all_table_rules(
    metadata: MetaData, declared: Mapping[str, reader.DeclaredRules]
) -> dict[str, TableRules]:
    return {
        name: _table_rules(table, declared.get(name, reader.DeclaredRules()))
        for name, table in sorted(metadata.tables.items())
    }


def _table_rules(table: Table, declared: reader.DeclaredRules) -> TableRules:
    rules = _merged(rules_in(table), declared.table)
    columns = {
        column.name: _merged(rules_in(column), declared.columns.get(column.name, ()))
        for column in table.columns
    }
    for rule in rules:
        for name in getattr(rule, "not_personal", ()):
            # An unknown name stays in, so that `check` can report it with the nearest known one.
            columns.setdefault(name, []).append(ColumnRule(None))
    return TableRules(
        table=table,
        subjects=tuple(rule for rule in rules if isinstance(rule, SubjectRule)),
        close_rules=tuple(rule for rule in rules if isinstance(rule, CloseRule)),
        no_personal_data=tuple(rule for rule in rules if isinstance(rule, NoPersonalDataRule)),
        columns=MappingProxyType({name: tuple(found) for name, found in columns.items()}),
    )


def _merged(rule_items: list[Any], declared: Sequence[Any]) -> list[Any]:
    """Return the rules of both; a rule that a file repeats counts once."""
    return [*rule_items, *(rule for rule in declared if rule not in rule_items)]


def _declared_rules(table_rules: TableRules) -> reader.DeclaredRules:
    rules: list[reader.TableRule] = [
        *table_rules.subjects,
        *table_rules.close_rules,
        *table_rules.no_personal_data,
    ]
    columns = {name: list(found) for name, found in table_rules.columns.items() if found}
    for rule in rules:
        for name in getattr(rule, "not_personal", ()):
            # The table's rule names the column already, and the file has it there.
            columns[name].remove(ColumnRule(None))
    return reader.DeclaredRules(rules, {name: found for name, found in columns.items() if found})


def _canonical(value: Any) -> Any:
    """Return *value* as JSON data in which every action has the name of its class."""
    if isinstance(value, Table):
        return value.fullname
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: _canonical(getattr(value, f.name)) for f in fields(value)}
        # Clear() and Unlink() have the same fields, and must not have the same digest.
        return {"is": type(value).__name__, **parts}
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_canonical(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)
