"""Compile the statements of a policy for one driver: everything that a closure runs.

The statements have parameters for the subjects: one value each, or arrays for a batch.
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
    Text,
    and_,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.engine import Dialect

from efface.graph.graph import Graph
from efface.graph.hops import Hop
from efface.graph.paths import Relationship
from efface.graph.write_order import Release
from efface.plan.compiled_statement import CompiledStatement
from efface.plan.dialect_sql import at_moment, is_any_of, moment_parameter
from efface.plan.path_sql import SubjectParameters, bare, no_one_else_refers, owner
from efface.plan.reached_rows import ReachedRows
from efface.plan.row_locks import lock
from efface.plan.table_statements import RandomSource, TableStatements
from efface.policy.actions import (
    UUID_PLACEHOLDER,
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
from efface.policy.column_types import by_name, column_names, is_text, is_uuid, room
from efface.policy.declarations import CloseRule, SubjectRule
from efface.policy.policy import PersonalColumn, TableRules
from efface.policy.relationships import OwnedBy


class PolicyStatements:
    """The compiled statements of one policy for one driver, for one subject or for a batch."""

    def __init__(
        self, graph: Graph, dialect: Dialect, random_source: RandomSource, *, batch: bool = False
    ) -> None:
        """Prepare the statements; each is compiled at its first use."""
        policy = graph.policy
        self.policy, self.dialect, self.batch = policy, dialect, batch
        self.random_source = random_source
        self.digest = policy.digest
        self.table = policy.subject_table
        has_deleted_at = policy.subject.deleted_at in by_name(self.table)
        self.deleted_at = policy.subject.deleted_at if has_deleted_at else None
        self._parameters = SubjectParameters(dialect, batch)
        self._here = bare(self.table)
        self._is_subject = and_(
            *(self._parameters.equal(self._here.c[c.name], c) for c in self._key)
        )
        self.subject_row = self._subject_row_statements()
        self.tables = tuple(
            self._table_statements(t, graph.relationships[t.fullname]) for t in graph.order
        )
        self._release(graph.releases)
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
    def in_plan_order(self) -> tuple[TableStatements, ...]:
        """Return the tables in a plan's order: credentials first, the subject's own row last."""
        return (*sorted(self.tables, key=lambda table: not table.revokes), self.subject_row)

    @cached_property
    def credentials(self) -> tuple[TableStatements, ...]:
        """Return the tables that are written before ``deleted_at`` is set.

        These are the tables with credentials, and those that reference them.
        """
        return tuple(t for t in self.tables if t.name in self._first and not t.is_owned)

    @cached_property
    def other_tables(self) -> tuple[TableStatements, ...]:
        """Return the tables that are written between the credentials and the subject's own row."""
        return tuple(t for t in self.tables if t.name not in self._first and not t.is_owned)

    @cached_property
    def owned_tables(self) -> tuple[TableStatements, ...]:
        """Return the tables with `OwnedBy`, which are written when nothing references them."""
        return tuple(table for table in self.tables if table.is_owned)

    @cached_property
    def late_subject_row(self) -> TableStatements:
        """Return the statements of the post-commit pass: they change only old values."""
        # With a cache of its own, because its statements differ.
        return replace(self.subject_row, is_subject_row=False, _candidates={})

    @cached_property
    def subject_actions(self) -> dict[str, ColumnAction]:
        """Return the actions on the columns of the subject's own row, by name."""
        return {rule.name: rule.action for rule in self.subject_row.columns}

    @cached_property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """Return the placeholders of the subject's own row: their values identify no one."""
        return tuple(a for a in self.subject_actions.values() if isinstance(a, Placeholder))

    @cached_property
    def identifier_queries(self) -> tuple[tuple[str, CompiledStatement], ...]:
        """Return the queries for former and secondary identifiers in all tables."""
        return tuple(each for table in self.tables for each in table.identifier_queries)

    def _table_statements(self, table: Table, found: Sequence[Relationship]) -> TableStatements:
        here = bare(table)
        targets = []
        for relationship in found:
            condition = self._parameters.reached(relationship.path, here)
            if isinstance(relationship.rule.via, OwnedBy):
                # Rows that another user's row references, too, must not change.
                alone = no_one_else_refers(self._parameters, relationship.path, here)
                condition = and_(condition, alone)
            targets.append(
                ReachedRows(
                    action=relationship.rule.action,
                    condition=condition,
                    owner=owner(relationship.path, here),
                    owner_column=relationship.path.hops[-1].target_columns[0],
                    by_value=relationship.path.hops[-1].by_value,
                    is_overwritten=relationship.is_overwritten(self.policy),
                    through=relationship.through,
                    via=relationship.rule.via,
                    identifiers=relationship.rule.identifiers,
                    references=tuple(column.name for column in relationship.path.hops[0].columns),
                    text_keys=self._text_keys(relationship.path.hops[0]),
                )
            )
        columns: tuple[PersonalColumn, ...] = ()
        # If every row is deleted or retained, no column changes.
        if table is not self.table and any(isinstance(t.action, Redact) for t in targets):
            columns = _fitted(self.policy.tables[table.fullname])
        return TableStatements(
            table=table,
            here=here,
            dialect=self.dialect,
            targets=tuple(targets),
            columns=columns,
            random_source=self.random_source,
            is_owned=any(isinstance(relationship.rule.via, OwnedBy) for relationship in found),
            batch=self.batch,
        )

    def _release(self, releases: Sequence[Release]) -> None:
        """Let the tables that are referred to set foreign keys to NULL before their DELETE."""
        every = {each.name: each for each in (*self.tables, self.subject_row)}
        for release in releases:
            statement = every[release.table.fullname].release(release.columns)
            every[release.referred.fullname].releases.append(statement)

    def _text_keys(self, hop: Hop) -> tuple[str, ...]:
        """Return the columns of *hop* that repeat a primary key of the subject which is text."""
        if hop.by_value or hop.target is not self.table:
            return ()
        paired_values = zip(hop.columns, hop.target_columns, strict=True)
        return tuple(c.name for c, key in paired_values if key.primary_key and is_text(key))

    def _subject_row_statements(self) -> TableStatements:
        key = self._key[0]
        target = ReachedRows(
            action=self.policy.subject.action,
            condition=self._is_subject,
            owner=self._here.c[key.name],
            owner_column=key,
            references=self.key_names,
            text_keys=tuple(column.name for column in self._key if is_text(column)),
        )
        is_kept = isinstance(target.action, Redact)
        columns = _fitted(self.policy.subject_table_rules) if is_kept else ()
        return TableStatements(
            table=self.table,
            here=self._here,
            dialect=self.dialect,
            targets=(target,),
            columns=columns,
            random_source=self.random_source,
            is_subject_row=True,
            batch=self.batch,
        )

    def _columns_to_read(self, graph: Graph) -> dict[str, None]:
        """Return the subject's columns that relationships and searches need, the key first."""
        # The key comes first: `close_many` takes it from the beginning of a row.
        names = dict.fromkeys(self.key_names)
        if self.deleted_at:
            names[self.deleted_at] = None
        names.update(dict.fromkeys(self.policy.subject.identifiers))
        for found in graph.relationships.values():
            for relationship in found:
                last = relationship.path.hops[-1]
                names.update(dict.fromkeys(column.name for column in last.target_columns))
        return names

    def key_values(self, key: tuple[Any, ...]) -> dict[str, Any]:
        """Return the parameters of the statements that find one subject's row."""
        return {f"subject_{n}": v for n, v in zip(self.key_names, key, strict=True)}

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
        no_op_column = self._here.c[self.deleted_at or self.key_names[0]]
        key: list[ColumnElement[Any]] = [self._here.c[name] for name in self.key_names]
        clause = lock(
            self.dialect,
            self._here,
            self._is_subject,
            columns=self._read,
            key=key,
            no_op_column=no_op_column,
        )
        return self._compile(clause, "lock", self._read)

    @cached_property
    def find(self) -> CompiledStatement:
        """Return the query for the subject's row, without a lock."""
        return self._compile(select(*self._read).where(self._is_subject), "read", self._read)

    @cached_property
    def set_deleted_at(self) -> CompiledStatement:
        """Return the UPDATE that sets ``deleted_at`` of an open account."""
        target = self._here.c[self.deleted_at or ""]
        now = moment_parameter("now", target.type)
        # Only if it is NULL: the moment of an account that is closed already must not change.
        clause = update(self._here).values({target: now})
        return self._compile(clause.where(self._is_subject, target.is_(None)), "close")

    @cached_property
    def reused_columns(self) -> tuple[str, ...]:
        """Return the subject's text columns that identify it, or by whose values rows are found."""
        columns = by_name(self.table)
        matched = (
            column.name
            for table in self.tables
            for target in table.targets
            if target.by_value
            for column in (target.owner_column,)
        )
        names = dict.fromkeys((*self.policy.subject.identifiers, *matched))
        return tuple(name for name in names if is_text(columns[name]))

    @cached_property
    def find_reused(self) -> CompiledStatement:
        """Return the query for the values of other, open accounts among the texts ``values``."""
        wanted = [self._here.c[name] for name in self.reused_columns]
        # In lower case as well, because a text is searched for in any case.
        found = [
            is_any_of(self.dialect, each, "values", Text())
            for column in wanted
            for each in (column, func.lower(column))
        ]
        others = [~self._is_subject]
        if self.deleted_at:
            others.append(self._here.c[self.deleted_at].is_(None))
        return self._compile(select(*wanted).where(or_(*found), *others), "search", wanted)

    @cached_property
    def find_closed_at(self) -> CompiledStatement:
        """Return the query for the keys of all accounts that were closed at a moment."""
        target = self._here.c[self.deleted_at or ""]
        wanted = [*(self._here.c[name] for name in self.key_names), target]
        return self._compile(select(*wanted).where(at_moment(target, "now")), "read", wanted)

    @cached_property
    def early_check(self) -> CompiledStatement | None:
        """Return the statement that checks deferred foreign keys now, or None if there are none.

        With a deferred foreign key, a DELETE succeeds and only the caller's COMMIT would fail.
        """
        keys = [
            constraint
            for table_rules in self.policy.tables.values()
            for constraint in table_rules.table.foreign_key_constraints
        ]
        if not any(key.deferrable for key in keys):
            return None
        if self.dialect.name == "sqlite":
            # The check reads every row with a foreign key, so skip it if nothing can break.
            if not any(self._may_break(key) for key in keys):
                return None
            return self._compile(text("PRAGMA foreign_key_check"), "check")
        return self._compile(text("SET CONSTRAINTS ALL IMMEDIATE"), "check")

    def _may_break(self, key: ForeignKeyConstraint) -> bool:
        """Return whether a closure deletes or changes a row that *key* references."""
        here = self.policy.tables[key.table.fullname]
        there = self.policy.tables.get(key.referred_table.fullname)
        if there is None or any(_deletes_rows(rule.action) for rule in _row_rules(there)):
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


def _row_rules(table_rules: TableRules) -> tuple[SubjectRule | CloseRule, ...]:
    return (*table_rules.subjects, *table_rules.close_rules)


def _deletes_rows(action: RowAction) -> bool:
    if isinstance(action, Retain):
        return _deletes_rows(action.then)
    return isinstance(action, (Delete, Revoke))


def _fitted(table_rules: TableRules) -> tuple[PersonalColumn, ...]:
    """Return the personal columns, with placeholders that fit the length of their columns."""
    columns = []
    for rule in table_rules.personal_columns():
        action = rule.action
        if isinstance(action, Placeholder):
            column = by_name(table_rules.table)[rule.name]
            fitted = UUID_PLACEHOLDER if is_uuid(column) else action.fitted(room(column))
            action = fitted or action
        columns.append(replace(rule, action=action))
    return tuple(columns)
