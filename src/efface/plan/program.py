"""The statements of a policy for one driver, compiled once: what every closing runs.

A program knows no subject. One table gets at most one DELETE and one UPDATE whatever the number
of links and rows; text that may mention the person gets one SELECT and one UPDATE by key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Table,
    TableClause,
    and_,
    bindparam,
    case,
    delete,
    false,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Dialect

from efface.graph import Graph, Reach
from efface.plan.compiled import Statement
from efface.plan.dialects import from_text, lock
from efface.plan.statements import (
    as_text,
    bare,
    is_not_true,
    is_static,
    may_mention,
    new_value,
    not_done,
    reaches,
    subject_bind,
)
from efface.policy.actions import (
    Delete,
    Redact,
    ReplaceMentions,
    Retain,
    Revoke,
    RowAction,
)
from efface.policy.check import is_json
from efface.policy.markers import Via
from efface.policy.rules import PersonalColumn

Condition = ColumnElement[bool]


@dataclass(frozen=True)
class Target:
    """Rows of a table that one link reaches, and what is to happen to them."""

    action: RowAction
    condition: Condition
    through: str | None
    via: Via | None
    identifiers: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


@dataclass
class TableProgram:
    """The compiled statements for one table."""

    table: Table
    here: TableClause
    dialect: Dialect
    targets: tuple[Target, ...]
    columns: dict[str, PersonalColumn]
    own: bool
    _candidates: dict[tuple[int, bool], Statement] = field(default_factory=dict)

    def _any(self, *kinds: type) -> Condition:
        return or_(false(), *(t.condition for t in self.targets if isinstance(t.action, kinds)))

    def has(self, *kinds: type) -> bool:
        """Return whether some link carries an action of one of these *kinds*."""
        return any(isinstance(target.action, kinds) for target in self.targets)

    @cached_property
    def retained(self) -> Condition:
        """Return the condition of rows that stay with their values."""
        return self._any(Retain)

    @cached_property
    def removed(self) -> Condition:
        """Return the condition of rows that go: Retain and Redact outrank Delete."""
        if not self.has(Delete, Revoke):
            return false()
        return and_(self._any(Delete, Revoke), *self._stays(Retain, Redact))

    @cached_property
    def redacted(self) -> Condition:
        """Return the condition of rows that stay without their values: Retain outranks Redact."""
        if not self.redacts:
            return false()
        return and_(self._any(Redact), *self._stays(Retain))

    def _stays(self, *kinds: type) -> list[Condition]:
        return [is_not_true(self._any(*kinds))] if self.has(*kinds) else []

    def _where(self, mark: PersonalColumn) -> Condition:
        """Return the condition of rows in which the column's value is the person's."""
        if mark.via is None:
            return self.redacted
        mine = [t.condition for t in self.targets if t.via == mark.via]
        return and_(self.redacted, or_(false(), *mine))

    @cached_property
    def static(self) -> dict[str, PersonalColumn]:
        """Return the columns whose new value does not depend on the old one."""
        return {n: m for n, m in self.columns.items() if is_static(m.action)}

    @cached_property
    def mentions(self) -> dict[str, ReplaceMentions]:
        """Return the columns in which the person's identifiers are replaced."""
        return {
            name: mark.action
            for name, mark in self.columns.items()
            if isinstance(mark.action, ReplaceMentions)
        }

    @cached_property
    def documents(self) -> frozenset[str]:
        """Return the columns among `mentions` that hold JSON."""
        return frozenset(name for name in self.mentions if is_json(self.table.c[name]))

    @cached_property
    def _unfinished(self) -> Condition:
        """Return the condition that a static column of the row still holds the old value."""
        parts = []
        for name, mark in self.static.items():
            undone = not_done(mark.action, self.here.c[name])
            parts.append(and_(self._where(mark), undone) if mark.via is not None else undone)
        return or_(false(), *parts)

    def _compile(self, clause: Any, act: str, results: Iterable[Any] = ()) -> Statement:
        return Statement(
            clause, self.dialect, table=self.table.fullname, act=act, results=tuple(results)
        )

    @property
    def redacts(self) -> bool:
        """Return whether rows stay without their values."""
        return self.has(Redact)

    @cached_property
    def delete(self) -> Statement | None:
        """Return the statement that removes rows."""
        if not self.has(Delete, Revoke):
            return None
        return self._compile(delete(self.here).where(self.removed), "delete from")

    @cached_property
    def update(self) -> Statement | None:
        """Return the statement that replaces static values in rows that still hold old ones."""
        if not self.static or not self.has(Redact):
            return None
        values = {}
        for name, mark in self.static.items():
            target = self.here.c[name]
            value = new_value(mark.action, target)
            if mark.via is not None:
                value = case((self._where(mark), value), else_=target)
            values[target] = value
        where = self.redacted
        if not self.own:
            # The person's own row is written whatever it holds: somebody may have typed a value
            # that looks like a placeholder.
            where = and_(where, self._unfinished)
        return self._compile(update(self.here).values(values).where(where), "redact")

    @cached_property
    def counts(self) -> Statement:
        """Return the query for: rows to remove, rows to redact, those of them unfinished."""
        unfinished = self.redacted if self.own and self.static else self._unfinished
        wanted = [
            func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
            for condition in (self.removed, self.redacted, and_(self.redacted, unfinished))
        ]
        reached = or_(*(target.condition for target in self.targets))
        query = select(*wanted).select_from(self.here).where(reached)
        return self._compile(query, "count the rows of", wanted)

    @cached_property
    def kept(self) -> tuple[tuple[Retain, Statement], ...]:
        """Return for each `Retain` the query for the number of its rows and their latest start."""
        result = []
        for target in self.targets:
            action = target.action
            if isinstance(action, Retain):
                wanted: list[ColumnElement[Any]] = [func.count()]
                if action.start not in ("closing", "calendar-year-end"):
                    start = self.here.c[action.start]
                    wanted.append(func.max(start, type_=start.type))
                query = select(*wanted).select_from(self.here).where(target.condition)
                result.append((action, self._compile(query, "count the rows of", wanted)))
        return tuple(result)

    @cached_property
    def captures(self) -> tuple[Statement, ...]:
        """Return the queries for former and secondary identifiers of the person."""
        result = []
        for target in self.targets:
            if target.identifiers:
                wanted = [self.here.c[name] for name in target.identifiers]
                query = select(*wanted).where(target.condition)
                result.append(self._compile(query, "read", wanted))
        return tuple(result)

    @property
    def key(self) -> list[ColumnElement[Any]]:
        """Return the primary key columns."""
        return [self.here.c[column.name] for column in self.table.primary_key.columns]

    def candidates(self, patterns: int, *, locked: bool) -> Statement:
        """Return the query for rows whose text may hold one of so many *patterns*.

        A row is the key, whether a static column is unfinished, and the texts. Before an edit the
        rows are locked: a writer's newer text must not be overwritten by the edit of an older one.
        """
        found = self._candidates.get((patterns, locked))
        if found is None:
            texts = [as_text(self.here.c[name]) for name in self.mentions]
            flag = case((self._unfinished, 1), else_=0)
            wanted: list[ColumnElement[Any]] = [*self.key, flag, *texts]
            mine = {
                self.columns[name].via: self._where(self.columns[name]) for name in self.mentions
            }
            query = select(*wanted).where(or_(*mine.values()), may_mention(texts, patterns))
            if locked:
                query = query.with_for_update()
            found = self._candidates[patterns, locked] = self._compile(query, "read", wanted)
        return found

    @cached_property
    def rewrite(self) -> Statement:
        """Return the UPDATE by key that writes edited texts back."""
        values = {
            self.here.c[name]: from_text(self.dialect, f"new_{i}", self.here.c[name].type)
            for i, name in enumerate(self.mentions)
        }
        where = [
            column == bindparam(f"key_{i}", type_=column.type) for i, column in enumerate(self.key)
        ]
        return self._compile(update(self.here).values(values).where(*where), "redact")


class Program:
    """Everything a closing runs for one policy on one driver."""

    def __init__(self, graph: Graph, dialect: Dialect) -> None:
        """Prepare the statements; each is compiled when it is first needed."""
        policy = graph.policy
        self.policy, self.dialect = policy, dialect
        self.digest = policy.digest
        self.table = policy.subject_table
        self.tombstone = policy.subject.tombstone if self._has_tombstone else None
        self._here = bare(self.table)
        self._is_subject = and_(
            *(self._here.c[c.name] == subject_bind(c.name, c.type) for c in self._key)
        )
        self.tables = tuple(
            self._program(table, graph.reaches[table.fullname]) for table in graph.order
        )
        self.own = self._own_program()
        self.read_columns = tuple(self._columns_to_read(graph))

    @property
    def _has_tombstone(self) -> bool:
        return self.policy.subject.tombstone in self.policy.subject_table.c

    @property
    def _key(self) -> Sequence[Any]:
        return tuple(self.table.primary_key.columns)

    @property
    def key_names(self) -> tuple[str, ...]:
        """Return the names of the subject's primary key columns."""
        return tuple(column.name for column in self._key)

    def _program(self, table: Table, found: Sequence[Reach]) -> TableProgram:
        here = bare(table)
        targets = tuple(
            Target(
                reach.mark.action,
                reaches(reach.path, here),
                reach.through,
                reach.mark.via,
                reach.mark.identifiers,
                tuple(column.name for column in reach.path.hops[0].columns),
            )
            for reach in found
        )
        columns: dict[str, PersonalColumn] = {}
        if table is not self.table:
            columns = self.policy.tables[table.fullname].personal_columns()
        return TableProgram(table, here, self.dialect, targets, columns, own=False)

    def _own_program(self) -> TableProgram:
        action = self.policy.subject.action
        target = Target(action, self._is_subject, None, None, references=self.key_names)
        columns = self.policy.subject_rule.personal_columns()
        return TableProgram(self.table, self._here, self.dialect, (target,), columns, own=True)

    def _columns_to_read(self, graph: Graph) -> dict[str, None]:
        """Return the subject's columns that links and searches need, the key first."""
        names = dict.fromkeys(self.key_names)
        if self.tombstone:
            names[self.tombstone] = None
        names.update(dict.fromkeys(self.policy.subject.identifiers))
        for found in graph.reaches.values():
            for reach in found:
                last = reach.path.hops[-1]
                names.update(dict.fromkeys(column.name for column in last.target_columns))
        return names

    def _compile(self, clause: Any, act: str, results: Iterable[Any] = ()) -> Statement:
        return Statement(
            clause, self.dialect, table=self.table.fullname, act=act, results=tuple(results)
        )

    @property
    def _read(self) -> list[ColumnElement[Any]]:
        return [self._here.c[name] for name in self.read_columns]

    @cached_property
    def lock(self) -> Statement:
        """Return the statement that locks the subject's row and reads it."""
        untouched = self._here.c[self.tombstone or self.key_names[0]]
        clause = lock(self.dialect, self._here, self._is_subject, self._read, untouched)
        return self._compile(clause, "lock", self._read)

    @cached_property
    def find(self) -> Statement:
        """Return the query for the subject's row, without a lock."""
        return self._compile(select(*self._read).where(self._is_subject), "read", self._read)

    @cached_property
    def mark(self) -> Statement:
        """Return the statement that sets the tombstone of an open account."""
        target = self._here.c[self.tombstone or ""]
        now = bindparam("now", type_=target.type)
        clause = update(self._here).values({target: now})
        return self._compile(clause.where(self._is_subject, target.is_(None)), "close")

    @cached_property
    def closed_at(self) -> Statement:
        """Return the query for the keys of all subjects closed at one moment."""
        target = self._here.c[self.tombstone or ""]
        wanted = [self._here.c[name] for name in self.key_names]
        clause = select(*wanted).where(target == bindparam("now", type_=target.type))
        return self._compile(clause, "read", wanted)
