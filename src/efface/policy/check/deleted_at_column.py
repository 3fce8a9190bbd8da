"""Check the column that records when an account was closed."""

from __future__ import annotations

from collections.abc import Iterator

from efface.errors import Problem
from efface.policy.column_types import by_name
from efface.policy.policy import Policy


def deleted_at_problems(policy: Policy) -> Iterator[Problem]:
    """Yield a problem if the users' table has no ``deleted_at`` column, or not a nullable one."""
    table, name = policy.subject_table, policy.subject.deleted_at
    if policy.removes_subject and name not in by_name(table):
        return
    if name not in by_name(table):
        text = f"The table has no column {name} to mark closed accounts. Add it:"
        paste = f"{name}: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))"
        yield Problem("E105", table.fullname, name, text, paste)
    elif not by_name(table)[name].nullable:
        text = f"{name} must accept NULL, because NULL means that the account is open."
        yield Problem("E105", table.fullname, name, text)
