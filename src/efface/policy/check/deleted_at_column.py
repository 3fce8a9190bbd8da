"""Check the column that records when an account was closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, DateTime
from sqlalchemy.types import NullType

from efface.errors import Problem
from efface.policy.column_types import by_name, unwrapped
from efface.policy.policy import Policy


def deleted_at_problems(policy: Policy) -> Iterator[Problem]:
    """Yield each reason why the ``deleted_at`` column can't record when an account was closed."""
    table, name = policy.subject_table, policy.subject.deleted_at
    column = by_name(table).get(name)
    paste = f"{name}: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))"
    if column is None:
        if not policy.removes_subject:
            text = f"The table has no column {name} to mark closed accounts. Add it:"
            yield Problem("E105", table.fullname, name, text, paste)
        return
    # A reflected column of an unknown type may be one.
    if not isinstance(unwrapped(column.type), (DateTime, NullType)):
        text = f"{name} must be a date with a time, to record the moment. Change it:"
        yield Problem("E105", table.fullname, name, text, paste)
    if not column.nullable:
        text = f"{name} must accept NULL, because NULL means that the account is open."
        yield Problem("E105", table.fullname, name, text)
    if _has_default(column):
        text = f"{name} must not have a default, because it would hide each new account. Change it:"
        yield Problem("E105", table.fullname, name, text, paste)


def _has_default(column: Column[Any]) -> bool:
    server = column.server_default
    # A reflected column may say NULL, in the database's words.
    is_null = str(getattr(server, "arg", "")).strip("() ").upper().startswith("NULL")
    written = (column.default, column.onupdate, column.server_onupdate)
    return any(each is not None for each in (*written, None if is_null else server))
