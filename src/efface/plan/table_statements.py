"""Compile the statements for one table: at most one DELETE and one UPDATE.

That holds for any number of relationships and rows. Values that must be read first, such as text
that may mention the subject, get one more SELECT and one UPDATE by primary key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Table,
    TableClause,
    Text,
    and_,
    case,
    cast,
    delete,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.types import TypeEngine

from efface.plan.action_sql import as_text, may_mention, new_value, not_done
from efface.plan.compiled_statement import CompiledStatement
from efface.plan.dialect_sql import from_text
from efface.plan.path_sql import Condition, is_not_true
from efface.plan.reached_rows import StepSummary
from efface.plan.row_conditions import RowConditions
from efface.plan.writes_by_key import Address, RowParameters, WriteByKey, row_address
from efface.policy.actions import (
    DIGITS,
    Clear,
    Delete,
    Generalize,
    Placeholder,
    ReplaceMentions,
    Retain,
    Revoke,
    Unlink,
)
from efface.policy.column_types import by_name, is_json
from efface.policy.policy import PersonalColumn

RandomSource = Callable[[], str] | None
"""Returns 32 random hexadecimal digits; None if the database makes a placeholder's random part."""


@dataclass(kw_only=True)
class TableStatements(RowConditions):
    """The compiled statements for one table.

    Attributes:
        table: The table.
        here: Its bare copy, on which the statements are built.
        columns: Its columns with an action.
        random_source: Where the random digits of placeholders come from.
        is_subject_row: Whether these are the statements for the subject's own row.
        is_owned: Whether the rows are found by rows that reference them (`OwnedBy`). They are
            written by primary key after those.
        releases: What must run before the DELETE, so that no foreign key refers to its rows.
    """

    table: Table
    here: TableClause
    columns: tuple[PersonalColumn, ...]
    random_source: RandomSource
    is_subject_row: bool = False
    is_owned: bool = False
    releases: list[CompiledStatement] = field(default_factory=list)
    _candidates: dict[tuple[int, bool], CompiledStatement] = field(default_factory=dict)

    @cached_property
    def name(self) -> str:
        """Return the table's full name."""
        return self.table.fullname

    # ------------------------------------------------------------ which columns

    def _decided_by(self, rule: PersonalColumn) -> Iterator[Condition]:
        """Yield the conditions for rows in which *rule*, and no rule before it, has the value."""
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
        """Return the columns whose values are read, edited in Python and written by key."""
        return tuple(rule for rule in self.columns if self._is_edited(rule))

    @cached_property
    def edited_names(self) -> tuple[str, ...]:
        """Return the names of the edited columns, each once."""
        return tuple(dict.fromkeys(rule.name for rule in self.edited))

    @cached_property
    def static(self) -> tuple[PersonalColumn, ...]:
        """Return the columns whose new values do not depend on the old ones."""
        return tuple(rule for rule in self.columns if not self._is_edited(rule))

    @cached_property
    def documents(self) -> frozenset[str]:
        """Return the edited columns that store JSON."""
        return frozenset(name for name in self.edited_names if is_json(by_name(self.table)[name]))

    @cached_property
    def _unfinished(self) -> Condition:
        """Return the condition that a static column of the row still has an old value."""
        parts = []
        for rule in self.static:
            undone = not_done(rule.action, self.here.c[rule.name])
            parts.append(and_(*self._decided_by(rule), undone) if rule.via is not None else undone)
        return or_(false(), *parts)

    @cached_property
    def may_collide(self) -> bool:
        """Return whether a new placeholder may equal an existing one."""
        return any(
            isinstance(rule.action, Placeholder)
            and (rule.action.digits < DIGITS or self.random_source is not None)
            for rule in self.columns
        )

    @cached_property
    def summary(self) -> StepSummary:
        """Return the part of the table's steps that is the same for every subject."""
        return StepSummary.of(self.targets, self.columns)

    # ------------------------------------------------------------ statements

    def _compile(self, clause: Any, act: str, results: Iterable[Any] = ()) -> CompiledStatement:
        return CompiledStatement(
            clause, self.dialect, table=self.name, act=act, results=tuple(results)
        )

    @cached_property
    def delete(self) -> CompiledStatement | None:
        """Return the DELETE, or None."""
        if not self.has(Delete, Revoke) or self.is_owned:
            return None
        return self._compile(delete(self.here).where(self.removed), "delete from")

    @cached_property
    def write_owned(self) -> WriteByKey | None:
        """Return the DELETE or UPDATE of owned rows by key, or None."""
        if self.has(Delete, Revoke):
            return self._by_key(lambda _: delete(self.here), "delete from")
        if not self.static or not self.redacts:
            return None
        return self._by_key(lambda _: update(self.here).values(self._new_values({})), "redact")

    @cached_property
    def update(self) -> CompiledStatement | None:
        """Return the UPDATE of the static columns in rows that still have an old value, or None."""
        if not self.static or not self.redacts or self.is_owned:
            return None
        where = self.redacted
        if not self.is_subject_row:
            # The subject's own row is always written: its value may look like a placeholder
            # because the user typed it.
            # With a relationship for each rule, `_unfinished` has all conditions already.
            by_link = all(rule.via is not None for rule in self.static)
            where = self._unfinished if by_link else and_(where, self._unfinished)
        return self._compile(update(self.here).values(self._new_values({})).where(where), "redact")

    def _new_values(self, edited: Mapping[str, ColumnElement[Any]]) -> dict[Any, Any]:
        """Return the new values of the static columns, and the *edited* ones, by column."""
        values = {self.here.c[name]: new for name, new in edited.items()}
        written = self.columns if edited else self.static
        for name in dict.fromkeys(rule.name for rule in self.static):
            target = self.here.c[name]
            decided = [rule for rule in self.static if rule.name == name]
            # With one relationship, the WHERE already selects its rows.
            if len({rule.via for rule in written}) == 1:
                values[target] = new_value(decided[0].action, target)
            else:
                # If both relationships have the same subject, the first declared rule decides.
                each = [(self._where(rule), new_value(rule.action, target)) for rule in decided]
                values[target] = case(*each, else_=edited.get(name, target))
        return values

    def release(self, columns: Sequence[str]) -> CompiledStatement:
        """Return the UPDATE that sets *columns* to NULL, in rows that no longer need them."""
        unlinked = [
            self._where(rule)
            for rule in self.columns
            if rule.name in columns and isinstance(rule.action, (Clear, Unlink))
        ]
        clause = update(self.here).values({self.here.c[name]: null() for name in columns})
        return self._compile(clause.where(or_(self.removed, *unlinked)), "redact")

    @cached_property
    def row_counts(self) -> CompiledStatement:
        """Return the query that counts rows to delete, to redact, and not yet redacted."""
        # `update` always writes the subject's own row, so it always counts.
        unfinished = self.redacted if self.is_subject_row and self.static else self._unfinished
        wanted = [
            func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
            for condition in (self.removed, self.redacted, and_(self.redacted, unfinished))
        ]
        # Without this condition the query would read the whole table.
        reached = or_(*(target.condition for target in self.targets))
        query = select(*wanted).select_from(self.here).where(reached)
        return self._compile(query, "count the rows of", wanted)

    @cached_property
    def retained_counts(self) -> tuple[tuple[Retain, CompiledStatement], ...]:
        """Return for each `Retain` the query that counts its rows and finds their latest start."""
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
    def identifier_queries(self) -> tuple[tuple[str, CompiledStatement], ...]:
        """Return the queries for former and secondary identifiers.

        Each comes with the name of the subject's column that the row's first value equals. The
        row's other values are the identifiers.
        """
        result = []
        for target in self.targets:
            if target.identifiers:
                names = [self.here.c[name] for name in target.identifiers]
                wanted = [target.owner if self.batch else null().label("owner"), *names]
                query = select(*wanted).select_from(self.here).where(target.condition)
                result.append((target.owner_column.name, self._compile(query, "read", wanted)))
        return tuple(result)

    # ------------------------------------------------------------ by key

    @cached_property
    def _identity(self) -> list[ColumnElement[Any]]:
        columns = list(self.table.primary_key.columns)
        if not columns:
            return row_address(self.dialect, self.here)
        return [self.here.c[column.name] for column in columns]

    @cached_property
    def key(self) -> list[ColumnElement[Any]]:
        """Return the expressions that identify a row: its primary key or its address."""
        return [cast(c, Text()) if isinstance(c.type, Address) else c for c in self._identity]

    def _by_key(
        self,
        build: Callable[[RowParameters], Any],
        act: str,
        values: Mapping[str, TypeEngine[Any]] = {},
    ) -> WriteByKey:
        keys = {column.name for column in self.table.primary_key.columns}
        return WriteByKey(
            self.dialect,
            self.name,
            act,
            self._identity,
            values,
            build,
            changes_key=bool(values) and not keys.isdisjoint(self.edited_names),
        )

    @cached_property
    def lock_rows(self) -> CompiledStatement | None:
        """Return the statement that locks the rows if they can be another user's, too, or None.

        The order by key keeps two closures with common rows from waiting for each other. SQLite
        has one writer at a time.
        """
        if len(self.targets) == 1 or self.is_owned or self.dialect.name == "sqlite":
            return None
        found = select(*self.key).where(or_(self.removed, self.redacted))
        rows = found.order_by(*self.key).with_for_update().subquery()
        number: list[ColumnElement[Any]] = [func.count()]
        return self._compile(select(*number).select_from(rows), "lock", number)

    @cached_property
    def keys(self) -> CompiledStatement:
        """Return the query that locks the rows of an owned table and returns their keys."""
        # Locked, so that no new row can reference an owned row before it is written.
        where = self.removed if self.has(Delete, Revoke) else and_(self.redacted, self._unfinished)
        query = select(*self.key).select_from(self.here).where(where).with_for_update()
        return self._compile(query, "read", self.key)

    def candidates(self, patterns: int, *, locked: bool) -> CompiledStatement:
        """Return the query for rows with values to edit.

        A row has the key, whether a static column is unfinished, the owner for each edited column,
        and the values.

        Args:
            patterns: How many LIKE patterns are bound, of which a text must match one. In a batch,
                every text is read.
            locked: Locks the rows, so that the edit doesn't overwrite a newer text.
        """
        found = self._candidates.get((patterns, locked))
        if found is None:
            values = [self._read(name) for name in self.edited_names]
            owners = [self._owner(rule).label(f"of_{i}") for i, rule in enumerate(self.edited)]
            # The subject's own row is always written, as in `update`.
            always = self.is_subject_row and self.static
            flag = literal_column("1") if always else case((self._unfinished, 1), else_=0)
            wanted: list[ColumnElement[Any]] = [
                *self.key,
                flag.label("unfinished"),
                *owners,
                *values,
            ]
            query = select(*wanted).select_from(self.here).where(self._may_change(patterns))
            if locked:
                query = query.with_for_update()
            found = self._candidates[patterns, locked] = self._compile(query, "read", wanted)
        return found

    def _owner(self, rule: PersonalColumn) -> ColumnElement[Any]:
        if self.batch:
            owner = self.target_of(rule).owner
            # A row that is deleted or retained for one subject must not get an owner for its edits.
            only_redacts = not self.has(Retain, Delete, Revoke)
            return owner if only_redacts else case((self._where(rule), owner))
        if rule.via is None:
            return literal_column("1")
        return case((self._where(rule), 1), else_=0)

    def _read(self, name: str) -> ColumnElement[Any]:
        target = self.here.c[name]
        return as_text(target) if self.as_text(name) else target

    def as_text(self, name: str) -> bool:
        """Return whether an edited column is read and written as text, without its own type."""
        return any(
            isinstance(rule.action, ReplaceMentions) for rule in self.edited if rule.name == name
        )

    def _may_change(self, patterns: int) -> Condition:
        """Return the condition for rows with a value to edit, each relationship in it once."""
        by_link: dict[Any, tuple[Condition, list[Condition]]] = {}
        for rule in self.edited:
            target = self.here.c[rule.name]
            _, worth = by_link.setdefault(rule.via, (self._where(rule), []))
            if isinstance(rule.action, ReplaceMentions):
                mentions = may_mention(self.dialect, target, patterns)
                worth.append(target.is_not(None) if self.batch else mentions)
            elif isinstance(rule.action, Generalize):
                worth.append(target.is_not(None))
            else:
                worth.append(
                    not_done(rule.action, target) if not self.is_subject_row else self.redacted
                )
        return or_(*(and_(mine, or_(false(), *worth)) for mine, worth in by_link.values()))

    @cached_property
    def rewrite(self) -> WriteByKey:
        """Return the UPDATE by key that writes edited values back, and the static ones with them.

        Each row is written once: PostgreSQL checks the foreign keys of a row that the transaction
        has written before, and waits for the other user of the row.
        """
        types = {
            f"new_{i}": Text() if self.as_text(name) else self.here.c[name].type
            for i, name in enumerate(self.edited_names)
        }
        return self._by_key(self._rewritten, "redact", types)

    def _rewritten(self, rows: RowParameters) -> Any:
        edited = {}
        for i, name in enumerate(self.edited_names):
            new, type_ = rows[f"new_{i}"], self.here.c[name].type
            edited[name] = from_text(self.dialect, new, type_) if self.as_text(name) else new
        return update(self.here).values(self._new_values(edited))
