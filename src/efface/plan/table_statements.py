"""The statements for one table, compiled once: what goes, what changes, what stays.

A table gets at most one DELETE and one UPDATE whatever the number of links and rows; values that
have to be read first (texts that may mention the person) get one SELECT and one UPDATE by key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
    literal_column,
    null,
    or_,
    select,
    update,
)

from efface.plan.action_sql import as_text, may_mention, new_value, not_done
from efface.plan.compiled_statement import CompiledStatement
from efface.plan.dialect_sql import from_text, row_address
from efface.plan.path_sql import Condition, is_not_true
from efface.plan.reached_rows import StepSummary
from efface.plan.row_conditions import RowConditions
from efface.policy.actions import (
    DIGITS,
    Delete,
    Generalize,
    Placeholder,
    ReplaceMentions,
    Retain,
    Revoke,
)
from efface.policy.column_types import by_name, is_json
from efface.policy.policy import PersonalColumn

RandomSource = Callable[[], str] | None
"""Returns 32 random hexadecimal digits; None if the database makes a placeholder's random part."""


@dataclass(kw_only=True)
class TableStatements(RowConditions):
    """The compiled statements for one table.

    ``own`` is the subject's table as far as the person's own row goes; ``owned`` a table whose
    rows are found through rows that refer to them, and are written by key after those.
    """

    table: Table
    here: TableClause
    columns: tuple[PersonalColumn, ...]
    random_source: RandomSource
    own: bool = False
    owned: bool = False
    _candidates: dict[tuple[int, bool], CompiledStatement] = field(default_factory=dict)

    @cached_property
    def name(self) -> str:
        """Return the table's full name."""
        return self.table.fullname

    # ------------------------------------------------------------ which columns

    def _decided_by(self, rule: PersonalColumn) -> Iterator[Condition]:
        """Yield the conditions of rows in which *mark*, and none before it, replaces the value."""
        yield self._where(rule)
        for other in self.static:
            if other is rule:
                return
            if other.name == rule.name:
                yield is_not_true(self._where(other))

    def _is_edited(self, rule: PersonalColumn) -> bool:
        if isinstance(rule.action, (ReplaceMentions, Generalize)):
            return True
        return isinstance(rule.action, Placeholder) and self.random_source is not None

    @cached_property
    def edited(self) -> tuple[PersonalColumn, ...]:
        """Return the columns whose values are read, changed here, and written back by key."""
        return tuple(rule for rule in self.columns if self._is_edited(rule))

    @cached_property
    def edited_names(self) -> tuple[str, ...]:
        """Return the names of the edited columns, each once."""
        return tuple(dict.fromkeys(rule.name for rule in self.edited))

    @cached_property
    def static(self) -> tuple[PersonalColumn, ...]:
        """Return the columns whose new value does not depend on the old one."""
        return tuple(rule for rule in self.columns if not self._is_edited(rule))

    @cached_property
    def documents(self) -> frozenset[str]:
        """Return the edited columns that hold JSON."""
        return frozenset(name for name in self.edited_names if is_json(by_name(self.table)[name]))

    @cached_property
    def _unfinished(self) -> Condition:
        """Return the condition that a static column of the row still holds the old value."""
        parts = []
        for rule in self.static:
            undone = not_done(rule.action, self.here.c[rule.name])
            parts.append(and_(*self._decided_by(rule), undone) if rule.via is not None else undone)
        return or_(false(), *parts)

    @cached_property
    def may_collide(self) -> bool:
        """Return whether a placeholder may be taken: few digits, or tokens from elsewhere."""
        return any(
            isinstance(rule.action, Placeholder)
            and (rule.action.digits < DIGITS or self.random_source is not None)
            for rule in self.columns
        )

    @cached_property
    def shown(self) -> StepSummary:
        """Return what the table's steps say."""
        return StepSummary.of(self.targets, self.columns)

    # ------------------------------------------------------------ statements

    def _compile(self, clause: Any, act: str, results: Iterable[Any] = ()) -> CompiledStatement:
        return CompiledStatement(
            clause, self.dialect, table=self.name, act=act, results=tuple(results)
        )

    @cached_property
    def delete(self) -> CompiledStatement | None:
        """Return the statement that removes rows; of an owned table, the row with a key."""
        if not self.has(Delete, Revoke):
            return None
        where = self._is_key if self.owned else self.removed
        return self._compile(delete(self.here).where(where), "delete from")

    @cached_property
    def update(self) -> CompiledStatement | None:
        """Return the statement that replaces static values in rows that still hold old ones."""
        if not self.static or not self.redacts:
            return None
        values = {}
        for name in dict.fromkeys(rule.name for rule in self.static):
            target = self.here.c[name]
            decided = [rule for rule in self.static if rule.name == name]
            if len({rule.via for rule in self.static}) == 1:
                values[target] = new_value(decided[0].action, target)
            else:
                # Of one person at both ends, the first declared link decides.
                each = [(self._where(rule), new_value(rule.action, target)) for rule in decided]
                values[target] = case(*each, else_=target)
        where = self._is_key if self.owned else self.redacted
        if not self.own and not self.owned:
            # The person's own row is written whatever it holds: somebody may have typed a value
            # that looks like a placeholder.
            by_link = all(rule.via is not None for rule in self.static)
            where = self._unfinished if by_link else and_(where, self._unfinished)
        return self._compile(update(self.here).values(values).where(where), "redact")

    @cached_property
    def counts(self) -> CompiledStatement:
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
    def kept(self) -> tuple[tuple[Retain, CompiledStatement], ...]:
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
    def captures(self) -> tuple[tuple[str, CompiledStatement], ...]:
        """Return the queries for former and secondary identifiers.

        A row is the owner's value, for the subject's column named first, and the identifiers.
        """
        result = []
        for target in self.targets:
            if target.identifiers:
                names = [self.here.c[name] for name in target.identifiers]
                wanted = [target.owner if self.many else null().label("owner"), *names]
                query = select(*wanted).select_from(self.here).where(target.condition)
                result.append((target.owner_column.name, self._compile(query, "read", wanted)))
        return tuple(result)

    # ------------------------------------------------------------ by key

    @cached_property
    def key(self) -> list[ColumnElement[Any]]:
        """Return what addresses a row: the primary key, or the database's own address of it."""
        columns = list(self.table.primary_key.columns)
        if not columns:
            return self._address[0]
        return [self.here.c[column.name] for column in columns]

    @cached_property
    def _address(self) -> tuple[list[ColumnElement[Any]], Condition]:
        return row_address(self.dialect, self.here.c.keys())

    @cached_property
    def _is_key(self) -> Condition:
        if not self.table.primary_key.columns:
            return self._address[1]
        return and_(*(c == bindparam(f"key_{i}", type_=c.type) for i, c in enumerate(self.key)))

    @cached_property
    def keys(self) -> CompiledStatement:
        """Return the query for the keys of an owned table's rows that change."""
        where = self.removed if self.has(Delete, Revoke) else and_(self.redacted, self._unfinished)
        query = select(*self.key).select_from(self.here).where(where).with_for_update()
        return self._compile(query, "read", self.key)

    def candidates(self, patterns: int, *, locked: bool) -> CompiledStatement:
        """Return the query for rows with values to edit.

        A row is the key, whether a static column is unfinished, the owner for each edited column,
        and the values. A text has to hold one of so many *patterns*; for many subjects at once
        every text is read. Before an edit the rows are locked: a writer's newer text must not be
        overwritten by the edit of an older one.
        """
        found = self._candidates.get((patterns, locked))
        if found is None:
            values = [self._read(name) for name in self.edited_names]
            owners = [self._owner(rule).label(f"of_{i}") for i, rule in enumerate(self.edited)]
            # The person's own row is written whatever it holds.
            always = self.own and self.static
            flag = literal_column("1") if always else case((self._unfinished, 1), else_=0)
            wanted: list[ColumnElement[Any]] = [
                *self.key,
                flag.label("unfinished"),
                *owners,
                *values,
            ]
            query = select(*wanted).select_from(self.here).where(self._worth_reading(patterns))
            if locked:
                query = query.with_for_update()
            found = self._candidates[patterns, locked] = self._compile(query, "read", wanted)
        return found

    def _owner(self, rule: PersonalColumn) -> ColumnElement[Any]:
        if self.many:
            owner = self.target_of(rule).owner
            only_redacts = not self.has(Retain, Delete, Revoke)
            return owner if only_redacts else case((self._where(rule), owner))
        if rule.via is None:
            return literal_column("1")
        return case((self._where(rule), 1), else_=0)

    def _read(self, name: str) -> ColumnElement[Any]:
        target = self.here.c[name]
        return as_text(target) if self.as_text(name) else target

    def as_text(self, name: str) -> bool:
        """Return whether an edited column is read and written as the database's text."""
        return any(
            isinstance(rule.action, ReplaceMentions) for rule in self.edited if rule.name == name
        )

    def _worth_reading(self, patterns: int) -> Condition:
        """Return the condition of rows with a value to edit; a link's condition stands once."""
        by_link: dict[Any, tuple[Condition, list[Condition]]] = {}
        for rule in self.edited:
            target = self.here.c[rule.name]
            _, worth = by_link.setdefault(rule.via, (self._where(rule), []))
            if isinstance(rule.action, ReplaceMentions):
                mentions = may_mention(self.dialect, target, patterns)
                worth.append(target.is_not(None) if self.many else mentions)
            elif isinstance(rule.action, Generalize):
                worth.append(target.is_not(None))
            else:
                worth.append(not_done(rule.action, target) if not self.own else self.redacted)
        return or_(*(and_(mine, or_(false(), *worth)) for mine, worth in by_link.values()))

    @cached_property
    def rewrite(self) -> CompiledStatement:
        """Return the UPDATE by key that writes edited values back."""
        values = {
            self.here.c[name]: (
                from_text(self.dialect, f"new_{i}", self.here.c[name].type)
                if self.as_text(name)
                else bindparam(f"new_{i}", type_=self.here.c[name].type)
            )
            for i, name in enumerate(self.edited_names)
        }
        return self._compile(update(self.here).values(values).where(self._is_key), "redact")
