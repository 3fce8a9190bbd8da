"""Keep the values of the subjects' rows that a closure needs to find and edit other rows.

They are in memory only: no ``repr`` shows them and no pickle contains them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from efface.errors import RowCountError
from efface.plan.cursor import Cursor
from efface.plan.mentions import SearchTerms, folded
from efface.plan.policy_statements import PolicyStatements
from efface.policy.actions import Clear, ColumnAction, Placeholder

NO_TERMS = SearchTerms(())


@dataclass(frozen=True, repr=False)
class ClosingSubject:
    """One subject as its row was when it was locked."""

    key: tuple[Any, ...]
    row: Mapping[str, Any]
    search_terms: SearchTerms
    closed_at: datetime | None

    def __repr__(self) -> str:
        """Return no value of the subject."""
        return "<ClosingSubject>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Refuse to be pickled, because a pickle would save the subject's values."""
        raise TypeError(
            "Efface never saves the user of an account closure, so it can't be pickled or copied."
        )


class ClosingSubjects:
    """The subjects of one closure: one, or a batch."""

    __slots__ = ("_by_column", "_rows", "all", "batch", "values")

    def __init__(
        self,
        statements: PolicyStatements,
        subjects: Sequence[ClosingSubject],
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep *subjects* and *values*, the parameters with which the statements find their rows.

        Without *values*, they are taken from the subjects' rows.
        """
        self.batch = statements.batch
        self.all = tuple(subjects)
        self.values = values or _parameters(statements, [subject.row for subject in subjects])
        self._by_column: dict[str, dict[Any, ClosingSubject]] = {}
        self._rows = [(subject.row, subject) for subject in self.all]

    def __repr__(self) -> str:
        """Return how many subjects there are, and no value of them."""
        return f"<ClosingSubjects: {len(self.all)}>"

    @property
    def only(self) -> ClosingSubject:
        """Return the subject of a closure that is no batch."""
        (subject,) = self.all
        return subject

    def search_terms_of(self, column: str, owner: Any) -> SearchTerms | None:
        """Return the search terms of the subject whose *column* equals *owner*.

        None means that the row belongs to none of these subjects. If there is only one subject,
        *owner* is true or false: whether the row is theirs.
        """
        if not self.batch:
            return self.only.search_terms if owner else None
        known = self._by_column.get(column)
        if known is None:
            known = {_folded(row[column]): subject for row, subject in self._rows}
            self._by_column[column] = known
        subject = known.get(_folded(owner))
        return subject.search_terms if subject else None

    def with_current_rows(
        self, statements: PolicyStatements, rows: Sequence[tuple[Any, ...]], closed_at: datetime
    ) -> ClosingSubjects:
        """Return the same subjects with the foreign-key values of their current *rows*.

        If a closure overwrites a referenced column, foreign keys follow the new value
        (``ON UPDATE CASCADE``). Matches by value and search terms keep the old values. A row with
        another *closed_at* belongs to another user, because databases reuse keys.
        """
        current = {subject.key: subject.row for subject in self.all}
        for row in _by_name(statements, rows):
            if statements.deleted_at and as_utc(row[statements.deleted_at]) == closed_at:
                current[tuple(row[name] for name in statements.key_names)] = row
        current_rows = [current[subject.key] for subject in self.all]
        found = _parameters(statements, current_rows)
        values = {n: found[n] if n.startswith("subject") else v for n, v in self.values.items()}
        subjects = ClosingSubjects(statements, self.all, values)
        subjects._rows += zip(current_rows, self.all, strict=True)
        return subjects

    def without(self, statements: PolicyStatements, reused: Collection[str]) -> ClosingSubjects:
        """Return the same subjects without matches by *reused* values, which others have now."""
        if not reused:
            return self
        values = {
            name: _unmatched(value, reused) if name.startswith(("match_", "matches_")) else value
            for name, value in self.values.items()
        }
        subjects = ClosingSubjects(statements, self.all, values)
        subjects._rows = self._rows
        return subjects


def capture(
    cursor: Cursor,
    statements: PolicyStatements,
    rows: Sequence[tuple[Any, ...]],
    *,
    with_search_terms: bool = True,
) -> ClosingSubjects:
    """Return what the rest of a closure needs from the subjects' *rows*.

    With *with_search_terms*, it also reads former and secondary identifiers in other tables.

    Raises:
        RowCountError: two rows have the same key, which the database then does not keep unique.
    """
    if len(keys := closed_at_by_key(statements, rows)) < len(rows):
        raise RowCountError(statements.table.fullname, "redact", len(rows), len(keys))
    named_rows = _by_name(statements, rows)
    values = _parameters(statements, named_rows)
    identifiers: list[list[Any]] = [[] for _ in named_rows]
    if with_search_terms:
        for texts, row in zip(identifiers, named_rows, strict=True):
            texts += [row[name] for name in statements.policy.subject.identifiers]
        for column, query in statements.identifier_queries:
            positions = {_folded(row[column]): i for i, row in enumerate(named_rows)}
            for owner, *found in cursor.rows(query, values):
                identifiers[positions.get(_folded(owner), 0) if statements.batch else 0] += found
    subjects = [
        _subject(statements, row, texts) for row, texts in zip(named_rows, identifiers, strict=True)
    ]
    return ClosingSubjects(statements, subjects, values)


def closed_at_by_key(
    statements: PolicyStatements, rows: Sequence[Sequence[Any]]
) -> dict[tuple[Any, ...], datetime | None]:
    """Return for each key in *rows* when the account was closed, or None if it is open."""
    keys = [statements.read_columns.index(name) for name in statements.key_names]
    at = statements.read_columns.index(statements.deleted_at) if statements.deleted_at else None
    return {
        tuple([row[each] for each in keys]): None if at is None else as_utc(row[at]) for row in rows
    }


def holds_identifier(statements: PolicyStatements, row: Sequence[Any]) -> bool:
    """Return whether the *row* of a closed account has a cleared or replaced value again."""
    (named_row,) = _by_name(statements, [row])
    for name, action in statements.subject_actions.items():
        value = named_row.get(name)
        if isinstance(action, (Clear, Placeholder)) and _linkable(value, action) is not None:
            return True
    return False


def _by_name(statements: PolicyStatements, rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(statements.read_columns, row, strict=True)) for row in rows]


def _subject(
    statements: PolicyStatements, row: dict[str, Any], identifiers: Sequence[Any]
) -> ClosingSubject:
    closed_at = row.get(statements.deleted_at) if statements.deleted_at else None
    key = tuple([row[name] for name in statements.key_names])
    terms = SearchTerms(identifiers, statements.placeholders) if identifiers else NO_TERMS
    return ClosingSubject(key, row, terms, as_utc(closed_at))


def _parameters(statements: PolicyStatements, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in statements.read_columns:
        action = statements.subject_actions.get(name)
        column = [row[name] for row in rows]
        linkable = [_linkable(value, action) for value in column]
        if statements.batch:
            values[f"subject_{name}"] = [v for v in column if v is not None]
            values[f"match_{name}"] = [v for v in linkable if v is not None]
            # Whole, with NULLs: the n-th values of two of these lists belong to one subject.
            values[f"subjects_{name}"], values[f"matches_{name}"] = column, linkable
        else:
            values[f"subject_{name}"], values[f"match_{name}"] = column[0], linkable[0]
    return values


def _linkable(value: Any, action: ColumnAction | None) -> Any:
    """Return *value*, or None if it is blank or a placeholder: such values match no row."""
    if isinstance(value, str) and not value.strip():
        return None
    if isinstance(action, Placeholder) and action.matches(value):
        return None
    return value


def _unmatched(value: Any, reused: Collection[str]) -> Any:
    if isinstance(value, list):
        return [_unmatched(each, reused) for each in value]
    return None if isinstance(value, str) and folded(value) in reused else value


def _folded(value: Any) -> Any:
    # A database may compare without regard to case, so a match may differ in case.
    return value.casefold() if isinstance(value, str) else value


def as_utc(moment: datetime | None) -> datetime | None:
    """Return *moment* as aware UTC; a driver without time zones returns it naive."""
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
