"""Whoever is being closed, while it runs: values that links need, and what to look for.

Lives in memory only, and shows nothing of itself: not in ``repr``, not in pickles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from efface.plan.cursor import Cursor
from efface.plan.mentions import SearchTerms
from efface.plan.policy_statements import PolicyStatements
from efface.policy.actions import Clear, ColumnAction, Placeholder

NOTHING = SearchTerms(())


@dataclass(frozen=True, repr=False)
class ClosingSubject:
    """One subject as the row was when it was locked."""

    key: tuple[Any, ...]
    read: Mapping[str, Any]
    search_terms: SearchTerms
    closed_at: datetime | None

    def __repr__(self) -> str:
        """Return nothing personal."""
        return "<Person>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Leave the person behind: nothing of them is ever saved."""
        raise TypeError("A person that is being closed is never saved.")


class ClosingSubjects:
    """The subjects of one closing: one, or many at once."""

    __slots__ = ("_by_column", "_reads", "all", "batch", "values")

    def __init__(
        self,
        statements: PolicyStatements,
        persons: Sequence[ClosingSubject],
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep *all*, and the parameters of the statements that name them."""
        self.batch = statements.batch
        self.all = tuple(persons)
        self.values = values or _parameters(statements, [person.read for person in persons])
        self._by_column: dict[str, dict[Any, ClosingSubject]] = {}
        self._reads = [(person.read, person) for person in self.all]

    def __repr__(self) -> str:
        """Return how many, never who."""
        return f"<People: {len(self.all)}>"

    @property
    def only(self) -> ClosingSubject:
        """Return the one subject of a closing of one."""
        (person,) = self.all
        return person

    def search_terms_of(self, column: str, owner: Any) -> SearchTerms | None:
        """Return what to look for in a row whose owner has this value in the subject's *column*.

        None where the row is nobody's of these. For one subject *owner* only says whether the
        row is theirs.
        """
        if not self.batch:
            return self.only.search_terms if owner else None
        known = self._by_column.get(column)
        if known is None:
            known = {_folded(read[column]): person for read, person in self._reads}
            self._by_column[column] = known
        person = known.get(_folded(owner))
        return person.search_terms if person else None

    def with_current_rows(
        self, statements: PolicyStatements, rows: Sequence[tuple[Any, ...]], closed_at: datetime
    ) -> ClosingSubjects:
        """Return the same people, referred to as their *rows* are now.

        A foreign key has followed what the closing wrote into the column it refers to. Links by
        value and texts still have what the person was. Rows that were not closed then are
        somebody else's by now.
        """
        now = {person.key: person.read for person in self.all}
        for read in (dict(zip(statements.read_columns, row, strict=True)) for row in rows):
            if statements.deleted_at and as_utc(read[statements.deleted_at]) == closed_at:
                now[tuple(read[name] for name in statements.key_names)] = read
        reads = [now[person.key] for person in self.all]
        found = _parameters(statements, reads)
        values = {n: found[n] if n.startswith("subject") else v for n, v in self.values.items()}
        subjects = ClosingSubjects(statements, self.all, values)
        subjects._reads += zip(reads, self.all, strict=True)
        return subjects


def capture(
    cursor: Cursor,
    statements: PolicyStatements,
    rows: Sequence[tuple[Any, ...]],
    *,
    with_search_terms: bool = True,
) -> ClosingSubjects:
    """Return what the rest of a closing needs to know from the subjects' *rows*."""
    reads = [dict(zip(statements.read_columns, row, strict=True)) for row in rows]
    values = _parameters(statements, reads)
    named: list[list[Any]] = [[] for _ in reads]
    if with_search_terms:
        for texts, read in zip(named, reads, strict=True):
            texts += [read[name] for name in statements.policy.subject.identifiers]
        for column, statement in statements.identifier_queries:
            where = {_folded(read[column]): i for i, read in enumerate(reads)}
            for owner, *found in cursor.rows(statement, values):
                named[where.get(_folded(owner), 0) if statements.batch else 0] += found
    persons = [_person(statements, read, texts) for read, texts in zip(reads, named, strict=True)]
    return ClosingSubjects(statements, persons, values)


def closed_at_by_key(
    statements: PolicyStatements, rows: Sequence[Sequence[Any]]
) -> dict[tuple[Any, ...], datetime | None]:
    """Return when each of the *rows* was closed, or None, by key; nothing else is looked at."""
    keys = [statements.read_columns.index(name) for name in statements.key_names]
    at = statements.read_columns.index(statements.deleted_at) if statements.deleted_at else None
    return {
        tuple([row[each] for each in keys]): None if at is None else as_utc(row[at]) for row in rows
    }


def holds_identifier(statements: PolicyStatements, row: Sequence[Any]) -> bool:
    """Return whether the *row* of a closed account holds a name or a link's value once more."""
    read = dict(zip(statements.read_columns, row, strict=True))
    for name, action in statements.subject_actions.items():
        value = read.get(name)
        if isinstance(action, (Clear, Placeholder)) and _linkable(value, action) is not None:
            return True
    return False


def _person(
    statements: PolicyStatements, read: dict[str, Any], named: Sequence[Any]
) -> ClosingSubject:
    closed_at = read.get(statements.deleted_at) if statements.deleted_at else None
    key = tuple([read[name] for name in statements.key_names])
    search_terms = SearchTerms(named, statements.placeholders) if named else NOTHING
    return ClosingSubject(key, read, search_terms, as_utc(closed_at))


def _parameters(statements: PolicyStatements, reads: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in statements.read_columns:
        action = statements.subject_actions.get(name)
        all_of_them = [read[name] for read in reads]
        linkable = [_linkable(value, action) for value in all_of_them]
        if statements.batch:
            values[f"subject_{name}"] = [v for v in all_of_them if v is not None]
            values[f"match_{name}"] = [v for v in linkable if v is not None]
            # Whole, so that two of them can be paired.
            values[f"subjects_{name}"], values[f"matches_{name}"] = all_of_them, linkable
        else:
            values[f"subject_{name}"], values[f"match_{name}"] = all_of_them[0], linkable[0]
    return values


def _linkable(value: Any, action: ColumnAction | None) -> Any:
    """Return *value* unless it is one that matches nothing: blank, or a placeholder."""
    if isinstance(value, str) and not value.strip():
        return None
    if isinstance(action, Placeholder) and action.matches(value):
        return None
    return value


def _folded(value: Any) -> Any:
    # Links by value may be equal to the database and differ in case.
    return value.casefold() if isinstance(value, str) else value


def as_utc(moment: datetime | None) -> datetime | None:
    """Return *moment* as aware UTC; drivers without time zones hand it over naive."""
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
