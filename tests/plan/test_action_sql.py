"""Actions and paths → SQL, as text: what a reviewer reads."""

import pytest
from sqlalchemy.dialects import sqlite

from efface import Policy
from efface.graph.graph import build
from efface.plan.policy_statements import PolicyStatements
from tests.support.schemas import forum


def program():
    """The forum's statements for SQLite."""
    graph, problems = build(Policy.from_metadata(forum.Base.metadata))
    assert problems == ()
    return PolicyStatements(graph, sqlite.dialect(), None)


def sql(statement):
    """The text of a statement on one line."""
    return " ".join(statement.sql.split())


def of(name):
    """The statements of one table."""
    return next(t for t in program().tables if t.table.name == name)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("users_tokens", "DELETE FROM users_tokens WHERE users_tokens.user_id = ?"),
        ("newsletter", "DELETE FROM newsletter WHERE newsletter.address = ?"),
    ],
)
def test_rows_that_go_are_one_delete(table, text):
    assert sql(of(table).delete) == text
    assert of(table).update is None


def test_values_that_go_are_one_update_of_rows_that_still_have_them():
    assert sql(of("posts").update) == (
        "UPDATE posts SET ip=NULL WHERE posts.author_id = ? AND posts.ip IS NOT NULL"
    )


def test_rows_that_stay_are_counted_through_the_table_between():
    ((_, statement),) = of("invoices").retained_counts

    assert of("invoices").delete is None
    assert sql(statement) == (
        "SELECT count(*) AS count_1 FROM invoices WHERE invoices.order_id IN "
        "(SELECT orders_1.id FROM orders AS orders_1 WHERE orders_1.user_id = ?)"
    )


def test_the_lock_on_sqlite_is_a_write_that_changes_nothing():
    assert sql(program().lock) == (
        "UPDATE users SET deleted_at=users.deleted_at WHERE users.id = ? "
        "RETURNING id, deleted_at, email, name"
    )


def test_the_persons_own_row_is_written_whatever_it_holds():
    assert sql(program().subject_row.update) == (
        "UPDATE users SET email=(? || lower(hex(randomblob(16))) || ?), name=NULL, "
        "hashed_password=NULL, bio=? WHERE users.id = ?"
    )


def test_statements_are_compiled_once():
    made = program()

    assert made.tables[0].delete is made.tables[0].delete
    assert made.lock is made.lock
