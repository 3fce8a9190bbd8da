"""Records under `Retain`: those of one user, and whether a row is one of a closed account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import and_, bindparam, or_, select

from efface.errors import UnknownSubjectError
from efface.plan.closing_subjects import capture
from efface.plan.compiled_statement import CompiledStatement
from efface.plan.cursor import Cursor
from efface.plan.path_sql import bare
from efface.plan.plan import Step
from efface.plan.planner import RowCounts, count_retained, table_steps
from efface.plan.policy_statements import PolicyStatements
from efface.plan.table_statements import TableStatements
from efface.policy.actions import Retain


def retained_steps(
    cursor: Cursor, statements: PolicyStatements, key: tuple[Any, ...], today: date
) -> tuple[Step, ...]:
    """Return the steps of `Retain` for the account, open or closed, if they have any row.

    Raises:
        UnknownSubjectError: no row has this key.
    """
    rows = cursor.rows(statements.find, statements.key_values(key))
    if not rows:
        raise UnknownSubjectError(statements.table.fullname)
    subjects = capture(cursor, statements, rows, with_search_terms=False)
    return tuple(
        step
        for table in statements.tables
        if table.has(Retain)
        for step in table_steps(
            table, RowCounts(kept=count_retained(cursor, table, subjects)), today
        )
        if step.until is not None and step.reached
    )


def closed_owners(
    cursor: Cursor, statements: PolicyStatements, table: str, key: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Return the keys of the closed accounts whose retained record the row with this *key* is."""
    found = next((each for each in statements.tables if each.name == table), None)
    if found is None or not found.has(Retain) or statements.deleted_at is None:
        return []
    return cursor.rows(_owners(statements, found), {f"row_{name}": v for name, v in key.items()})


def _owners(statements: PolicyStatements, table: TableStatements) -> CompiledStatement:
    users = bare(statements.table).alias("closed_user")
    wanted = [users.c[name] for name in statements.key_names]
    owned = [
        target.owner == users.c[target.owner_column.name]
        for target in table.targets
        if isinstance(target.action, Retain)
    ]
    is_row = (
        table.here.c[column.name] == bindparam(f"row_{column.name}", type_=column.type)
        for column in table.table.primary_key.columns
    )
    is_closed = users.c[statements.deleted_at or ""].is_not(None)
    query = select(*wanted).where(and_(*is_row), is_closed, or_(*owned))
    return CompiledStatement(
        query, statements.dialect, table=table.name, act="read", results=wanted
    )
