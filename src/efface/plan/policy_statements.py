"""The statements of a policy for one driver, compiled once: what every closing runs.

A program knows no subject. It is compiled for one subject at a time, or for many at once; the
statements are the same but for the parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ForeignKeyConstraint,
    Table,
    and_,
    bindparam,
    select,
    text,
    update,
)
from sqlalchemy.engine import Dialect

from efface.graph.graph import Graph, Relationship
from efface.graph.hops import Hop
from efface.plan.compiled_statement import CompiledStatement
from efface.plan.dialect_sql import at_moment
from efface.plan.path_sql import SubjectParameters, bare, no_one_else_refers, owner
from efface.plan.reached_rows import ReachedRows
from efface.plan.row_locks import lock
from efface.plan.table_statements import RandomSource, TableStatements
from efface.policy.actions import (
    Clear,
    ColumnAction,
    Delete,
    Placeholder,
    Redact,
    Retain,
    Revoke,
    RowAction,
    Unlink,
)
from efface.policy.column_types import by_name, column_names, is_text, room
from efface.policy.declarations import CloseRule, SubjectRule
from efface.policy.policy import PersonalColumn, TableRules
from efface.policy.relationships import OwnedBy


class PolicyStatements:
    """Everything a closing runs for one policy on one driver."""

    def __init__(
        self, graph: Graph, dialect: Dialect, random_source: RandomSource, *, many: bool = False
    ) -> None:
        """Prepare the statements; each is compiled when it is first needed."""
        policy = graph.policy
        self.policy, self.dialect, self.many = policy, dialect, many
        self.random_source = random_source
        self.digest = policy.digest
        self.table = policy.subject_table
        has_deleted_at = policy.subject.deleted_at in by_name(self.table)
        self.deleted_at = policy.subject.deleted_at if has_deleted_at else None
        self._parameters = SubjectParameters(dialect, many)
        self._here = bare(self.table)
        self._is_subject = and_(
            *(self._parameters.equal(self._here.c[c.name], c) for c in self._key)
        )
        self.own = self._own_statements()
        self.tables = tuple(
            self._table_statements(t, graph.relationships[t.fullname]) for t in graph.order
        )
        self._first = graph.first
        self.read_columns = tuple(self._columns_to_read(graph))

    @cached_property
    def _key(self) -> Sequence[Any]:
        return tuple(self.table.primary_key.columns)

    @cached_property
    def key_names(self) -> tuple[str, ...]:
        """Return the names of the subject's primary key columns."""
        return tuple(column.name for column in self._key)

    @cached_property
    def shown(self) -> tuple[TableStatements, ...]:
        """Return the tables in the order of a plan: credentials first, the person's row last."""
        return (*sorted(self.tables, key=lambda table: not table.revokes), self.own)

    @cached_property
    def credentials(self) -> tuple[TableStatements, ...]:
        """Return the tables that go before the account is marked as closed.

        What refers to a credential has to go before it.
        """
        return tuple(t for t in self.tables if t.name in self._first and not t.owned)

    @cached_property
    def others(self) -> tuple[TableStatements, ...]:
        """Return the tables between the credentials and the person's own row."""
        return tuple(t for t in self.tables if t.name not in self._first and not t.owned)

    @cached_property
    def owned(self) -> tuple[TableStatements, ...]:
        """Return the tables whose rows are written when nothing refers to them any more."""
        return tuple(table for table in self.tables if table.owned)

    @cached_property
    def late(self) -> TableStatements:
        """Return what a second pass does to the subject's own row: only where it is unfinished."""
        return replace(self.own, own=False, _candidates={})

    @cached_property
    def own_actions(self) -> dict[str, ColumnAction]:
        """Return what happens to the columns of the subject's own row, by name."""
        return {rule.name: rule.action for rule in self.own.columns}

    @cached_property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """Return the placeholders of the subject's own row: such values name nobody."""
        return tuple(a for a in self.own_actions.values() if isinstance(a, Placeholder))

    @cached_property
    def captures(self) -> tuple[tuple[str, CompiledStatement], ...]:
        """Return the queries for former and secondary identifiers in all tables."""
        return tuple(each for table in self.tables for each in table.captures)

    def _table_statements(self, table: Table, found: Sequence[Relationship]) -> TableStatements:
        here = bare(table)
        targets = []
        for relationship in found:
            condition = self._parameters.reached(relationship.path, here)
            if isinstance(relationship.rule.via, OwnedBy):
                alone = no_one_else_refers(self._parameters, relationship.path, here)
                condition = and_(condition, alone)
            targets.append(
                ReachedRows(
                    action=relationship.rule.action,
                    condition=condition,
                    owner=owner(relationship.path, here),
                    owner_column=relationship.path.hops[-1].target_columns[0],
                    by_value=relationship.path.hops[-1].by_value,
                    is_cut=relationship.is_cut(self.policy),
                    through=relationship.through,
                    via=relationship.rule.via,
                    identifiers=relationship.rule.identifiers,
                    references=tuple(column.name for column in relationship.path.hops[0].columns),
                    named=self._repeating(relationship.path.hops[0]),
                )
            )
        columns: tuple[PersonalColumn, ...] = ()
        # Where every row goes or is kept as it is, no column is written.
        if table is not self.table and any(isinstance(t.action, Redact) for t in targets):
            columns = _fitted(self.policy.tables[table.fullname])
        return TableStatements(
            table=table,
            here=here,
            dialect=self.dialect,
            targets=tuple(targets),
            columns=columns,
            random_source=self.random_source,
            owned=any(isinstance(relationship.rule.via, OwnedBy) for relationship in found),
            many=self.many,
        )

    def _repeating(self, hop: Hop) -> tuple[str, ...]:
        """Return the columns of *hop* that repeat a key of the subject which is text."""
        if hop.by_value or hop.target is not self.table:
            return ()
        pairs = zip(hop.columns, hop.target_columns, strict=True)
        return tuple(c.name for c, key in pairs if key.primary_key and is_text(key))

    def _own_statements(self) -> TableStatements:
        key = self._key[0]
        target = ReachedRows(
            action=self.policy.subject.action,
            condition=self._is_subject,
            owner=self._here.c[key.name],
            owner_column=key,
            references=self.key_names,
            named=tuple(column.name for column in self._key if is_text(column)),
        )
        is_kept = isinstance(target.action, Redact)
        columns = _fitted(self.policy.subject_rule) if is_kept else ()
        return TableStatements(
            table=self.table,
            here=self._here,
            dialect=self.dialect,
            targets=(target,),
            columns=columns,
            random_source=self.random_source,
            own=True,
            many=self.many,
        )

    def _columns_to_read(self, graph: Graph) -> dict[str, None]:
        """Return the subject's columns that links and searches need, the key first."""
        names = dict.fromkeys(self.key_names)
        if self.deleted_at:
            names[self.deleted_at] = None
        names.update(dict.fromkeys(self.policy.subject.identifiers))
        for found in graph.relationships.values():
            for relationship in found:
                last = relationship.path.hops[-1]
                names.update(dict.fromkeys(column.name for column in last.target_columns))
        return names

    def _compile(self, clause: Any, act: str, results: Iterable[Any] = ()) -> CompiledStatement:
        return CompiledStatement(
            clause, self.dialect, table=self.table.fullname, act=act, results=tuple(results)
        )

    @property
    def _read(self) -> list[ColumnElement[Any]]:
        return [self._here.c[name] for name in self.read_columns]

    @cached_property
    def lock(self) -> CompiledStatement:
        """Return the statement that locks the subject's row and reads it."""
        untouched = self._here.c[self.deleted_at or self.key_names[0]]
        key: list[ColumnElement[Any]] = [self._here.c[name] for name in self.key_names]
        clause = lock(
            self.dialect,
            self._here,
            self._is_subject,
            columns=self._read,
            key=key,
            untouched=untouched,
        )
        return self._compile(clause, "lock", self._read)

    @cached_property
    def find(self) -> CompiledStatement:
        """Return the query for the subject's row, without a lock."""
        return self._compile(select(*self._read).where(self._is_subject), "read", self._read)

    @cached_property
    def rule(self) -> CompiledStatement:
        """Return the statement that sets the tombstone of an open account."""
        target = self._here.c[self.deleted_at or ""]
        now = bindparam("now", type_=target.type)
        clause = update(self._here).values({target: now})
        return self._compile(clause.where(self._is_subject, target.is_(None)), "close")

    @cached_property
    def closed_at(self) -> CompiledStatement:
        """Return the query for the keys and tombstones of all subjects closed around a moment."""
        target = self._here.c[self.deleted_at or ""]
        wanted = [*(self._here.c[name] for name in self.key_names), target]
        return self._compile(select(*wanted).where(at_moment(target, "now")), "read", wanted)

    @cached_property
    def early_check(self) -> CompiledStatement | None:
        """Return the statement that meets deferred foreign keys now instead of at the commit.

        A DELETE under a deferred key answers "1 row", and only COMMIT would refuse it.
        """
        keys = [
            constraint
            for table_rules in self.policy.tables.values()
            for constraint in table_rules.table.foreign_key_constraints
        ]
        if not any(key.deferrable for key in keys):
            return None
        if self.dialect.name == "sqlite":
            # It reads every row of every table that refers to another.
            if not any(self._may_break(key) for key in keys):
                return None
            return self._compile(text("PRAGMA foreign_key_check"), "check")
        return self._compile(text("SET CONSTRAINTS ALL IMMEDIATE"), "check")

    def _may_break(self, key: ForeignKeyConstraint) -> bool:
        """Return whether closing takes away what *key* refers to, or makes it refer elsewhere."""
        here = self.policy.tables[key.table.fullname]
        there = self.policy.tables.get(key.referred_table.fullname)
        if there is None or any(_takes_rows(rule.action) for rule in _marks(there)):
            return True
        changed = {rule.name for rule in there.personal_columns()}
        pointed = {
            rule.name
            for rule in here.personal_columns()
            if not isinstance(rule.action, (Clear, Unlink))
        }
        return bool(
            changed & {element.column.name for element in key.elements}
            or pointed & set(column_names(key))
        )


def _marks(table_rules: TableRules) -> tuple[SubjectRule | CloseRule, ...]:
    return (*table_rules.subjects, *table_rules.close_rules)


def _takes_rows(action: RowAction) -> bool:
    if isinstance(action, Retain):
        return _takes_rows(action.then)
    return isinstance(action, (Delete, Revoke))


def _fitted(table_rules: TableRules) -> tuple[PersonalColumn, ...]:
    """Return the personal columns, each placeholder as short as its column asks for."""
    columns = []
    for rule in table_rules.personal_columns():
        action = rule.action
        if isinstance(action, Placeholder):
            action = action.fitted(room(by_name(table_rules.table)[rule.name])) or action
        columns.append(replace(rule, action=action))
    return tuple(columns)
