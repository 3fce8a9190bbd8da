"""Our operations in a migration: forward, back, and refused where it would hurt."""

import io

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import StaticPool

import efface.alembic
from efface.errors import ClosedAccountsError
from efface.store.efface_tables import metadata


@pytest.fixture
def connection():
    """A database with a table of people that has no tombstone yet."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)"))
        connection.execute(text("INSERT INTO users (email) VALUES ('ada@example.org')"))
        yield connection
    engine.dispose()


@pytest.fixture
def op(connection):
    """Alembic's operations on that database."""
    return Operations(MigrationContext.configure(connection))


def test_the_tombstone_is_a_nullable_column_with_an_index_of_open_accounts(op, connection):
    op.add_deleted_at("users")

    columns = {c["name"]: c for c in inspect(connection).get_columns("users")}
    assert columns["deleted_at"]["nullable"]
    sql = connection.scalar(text("SELECT sql FROM sqlite_master WHERE name = 'ix_users_open'"))
    assert sql == "CREATE INDEX ix_users_open ON users (id) WHERE deleted_at IS NULL"
    assert connection.scalar(text("SELECT count(*) FROM users WHERE deleted_at IS NULL")) == 1


def test_the_index_serves_a_list_of_open_accounts(op, connection):
    op.add_deleted_at("users")

    query = text("EXPLAIN QUERY PLAN SELECT id FROM users WHERE deleted_at IS NULL ORDER BY id")

    assert "ix_users_open" in str(connection.execute(query).all())


def test_back_and_forth(op, connection):
    op.add_deleted_at("users")
    op.drop_deleted_at("users")
    assert [c["name"] for c in inspect(connection).get_columns("users")] == ["id", "email"]

    op.add_deleted_at("users", "gone_at", key="email")

    assert inspect(connection).get_columns("users")[-1]["name"] == "gone_at"


def test_the_column_cannot_be_dropped_while_closed_accounts_exist(op, connection):
    """tutorial:G40: they would look open again."""
    op.add_deleted_at("users")
    connection.execute(text("UPDATE users SET deleted_at = '2026-01-01'"))

    with pytest.raises(ClosedAccountsError) as caught:
        op.drop_deleted_at("users")

    assert caught.value.rows == 1
    assert "deleted_at" in [c["name"] for c in inspect(connection).get_columns("users")]


def test_our_tables_are_those_of_the_metadata(op, connection):
    op.create_efface_tables()

    ours = {table.name for table in metadata.sorted_tables}
    assert ours <= set(inspect(connection).get_table_names())
    differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert [d for d in differences if "users" not in str(d)] == []


def test_our_tables_go_only_while_they_are_empty(op, connection):
    op.create_efface_tables()
    connection.execute(
        text(
            "INSERT INTO efface_closings (reference, subject, closed_at, actor, policy, receipt) "
            "VALUES ('r', 's', '2026-01-01', 'a', 'p', '{}')"
        )
    )

    with pytest.raises(ClosedAccountsError):
        op.drop_efface_tables()

    connection.execute(text("DELETE FROM efface_closings"))
    op.drop_efface_tables()
    assert "efface_closings" not in inspect(connection).get_table_names()


def test_written_as_sql_a_migration_adds_and_refuses_to_drop():
    written = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": written}
    )
    op = Operations(context)

    op.add_deleted_at("users")
    op.create_efface_tables()
    with pytest.raises(ClosedAccountsError):
        op.drop_deleted_at("users")

    sql = written.getvalue()
    assert "ALTER TABLE users ADD COLUMN deleted_at TIMESTAMP WITH TIME ZONE" in sql
    assert "CREATE INDEX ix_users_open ON users (id) WHERE deleted_at IS NULL" in sql
    assert "CREATE TABLE efface_closings" in sql
    assert efface.alembic.AddDeletedAt("u", "c", "id", None).reverse().column == "c"
