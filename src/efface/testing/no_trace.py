"""Assert that no column of any table has any of a user's identifiers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    false,
    inspect,
    or_,
    select,
    type_coerce,
)

from efface.errors import FixtureError
from efface.graph.graph import Graph, build
from efface.plan.action_sql import as_text
from efface.plan.mentions import SHORTEST, SearchTerms, parsed
from efface.plan.path_sql import SubjectParameters, bare, is_not_true
from efface.policy.actions import Retain
from efface.policy.column_types import is_text, unwrapped
from efface.policy.policy import Policy
from efface.store.efface_tables import metadata as ours
from efface.testing.completeness import policy_of


def assert_no_trace(
    bind: Any,
    policy: Policy | MetaData,
    identifiers: Iterable[str],
    *,
    subject: Any = None,
    kept: Iterable[str] = (),
) -> None:
    """Assert that no column of any table mentions one of *identifiers*.

    Numbers, dates and arrays are read as text, JSON without escapes, bytes as UTF-8. An identifier
    is found as a whole word, in any case. Rows under `Retain` and primary keys that are text are
    left out. It only reads.

    Args:
        bind: The Session or Connection to read with.
        policy: A policy, or metadata with rules.
        identifiers: Former values of the user, such as ``populated.user.traces``.
        subject: The user's primary key. Without it, rows of all users under `Retain` are left out.
        kept: Places that may mention the user, as ``"table"`` or ``"table.column"``.

    Raises:
        AssertionError: something is left. The message has columns and numbers of rows, no value.
        FixtureError: no identifier has at least four characters.
    """
    search_terms = SearchTerms(identifiers)
    if not search_terms:
        raise FixtureError(
            f"There is nothing to search for. Pass identifiers of at least {SHORTEST} characters."
        )
    policy = policy_of(policy)
    if not isinstance(bind, Connection):
        # Pending changes of the session must be in the database to be searched.
        bind.flush()
        bind = bind.connection()
    graph = _graph(policy)
    exempt = _Exemptions(graph, frozenset(kept), *_parameters(bind, policy, graph, subject))
    existing = inspect(bind)
    tables = [table_rules.table for table_rules in policy.tables.values()]
    # Efface's own table must not have identifiers either.
    tables += [t for t in ours.tables.values() if existing.has_table(t.name, t.schema)]
    found: Counter[str] = Counter()
    for table in tables:
        found.update(_mentions(bind, table, exempt, search_terms))
    if found:
        lines = "".join(
            f"\n  {place}  {rows} {'row' if rows == 1 else 'rows'}"
            for place, rows in sorted(found.items())
        )
        raise AssertionError(f"The database still contains an identifier of the user:{lines}")


class _AnySubject(SubjectParameters):
    """Conditions that find the rows of any subject."""

    def equal(
        self, mine: ColumnElement[Any], _theirs: Column[Any], *, by_value: bool = False
    ) -> ColumnElement[bool]:
        """Return the condition that the foreign key is not NULL."""
        return false() if by_value else mine.is_not(None)


@dataclass(frozen=True)
class _Exemptions:
    """The places and the retained rows that may mention the user."""

    graph: Graph | None
    places: frozenset[str]
    subjects: SubjectParameters
    values: Mapping[str, Any]

    def rows(self, table: Table, here: Any) -> ColumnElement[bool]:
        """Return the condition for rows of *table* under `Retain`."""
        relationships = self.graph.relationships.get(table.fullname, ()) if self.graph else ()
        retained = [
            relationship.path
            for relationship in relationships
            if isinstance(relationship.rule.action, Retain)
        ]
        return or_(false(), *(self.subjects.reached(path, here) for path in retained))

    def column(self, column: Column[Any]) -> bool:
        """Return whether *column* is exempt by name, or is a text key of users or repeats it."""
        table = column.table
        if {table.fullname, f"{table.fullname}.{column.name}"} & self.places:
            return True
        if self.graph is None:
            return False
        subject = self.graph.policy.subject_table
        if table is subject and column.primary_key:
            return is_text(column)
        return any(
            mine is column and theirs.primary_key and is_text(theirs)
            for relationship in self.graph.relationships.get(table.fullname, ())
            for hop in relationship.path.hops[:1]
            if hop.target is subject and not hop.by_value
            for mine, theirs in zip(hop.columns, hop.target_columns, strict=True)
        )


def _graph(policy: Policy) -> Graph | None:
    has_one = sum(len(table_rules.subjects) for table_rules in policy.tables.values()) == 1
    return build(policy)[0] if has_one else None


def _parameters(
    connection: Connection, policy: Policy, graph: Graph | None, subject: Any
) -> tuple[SubjectParameters, Mapping[str, Any]]:
    """Return the parameters that identify the user, and their values."""
    if graph is None or subject is None:
        return _AnySubject(connection.dialect), {}
    table = policy.subject_table
    key = subject if isinstance(subject, tuple) else (subject,)
    pairs = zip(table.primary_key, key, strict=True)
    here = bare(table)
    query = select(here).where(*(here.c[column.name] == value for column, value in pairs))
    row: Mapping[Any, Any] = connection.execute(query).mappings().first() or {}
    values = {f"subject_{column.name}": row.get(column.name) for column in table.columns}
    # The values to match by are erased, so rows by value cannot be found any more.
    matches = {f"match_{column.name}": None for column in table.columns}
    return SubjectParameters(connection.dialect), {**values, **matches}


def _mentions(
    connection: Connection, table: Table, kept: _Exemptions, search_terms: SearchTerms
) -> Iterator[str]:
    columns = [column for column in table.columns if not kept.column(column)]
    if not columns:
        return
    here = bare(table)
    stays = kept.rows(table, here)
    query = select(*(_read(column, here.c[column.name]) for column in columns))
    query = query.select_from(here).where(is_not_true(stays))
    wanted = {name: kept.values[name] for name in query.compile().params if name in kept.values}
    for row in connection.execute(query, wanted):
        for column, value in zip(columns, row, strict=True):
            if any(search_terms.found_in(text) for text in _texts(value)):
                yield f"{table.fullname}.{column.name}"


def _read(column: Column[Any], here: ColumnElement[Any]) -> ColumnElement[Any]:
    type_ = unwrapped(column.type)
    if isinstance(type_, LargeBinary):
        # As bytes, without a type of the application that may refuse to read them.
        return type_coerce(here, LargeBinary())
    return here if isinstance(type_, ARRAY) else as_text(here)


def _texts(value: Any) -> Iterator[Any]:
    if isinstance(value, (bytes, bytearray, memoryview)):
        yield from _texts(bytes(value).decode("utf-8", "replace"))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value
        yield parsed(value)
    elif value is not None:
        yield value
        yield str(value)
