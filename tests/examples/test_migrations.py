"""The garden's migrations and its models: one database by either road, and no way back too far."""

import re
from io import StringIO
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text

from efface.errors import ClosedAccountsError
from efface.store.efface_tables import metadata as efface_tables
from garden import demo
from garden.models import Base

# Read from the catalog instead, below.
pytestmark = pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression")
ON_BOTH = [
    "sqlite",
    pytest.param("postgresql", marks=[pytest.mark.slow, pytest.mark.postgresql]),
]
INI = Path(demo.__file__).with_name("alembic.ini")
CATALOG = {
    # What a database itself says of indexes: also of expressions, which inspection leaves out.
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
}


def described(engine):
    """Everything about the tables of a database: columns, keys, rules and indexes."""
    here = inspect(engine)
    tables = {
        name: {
            "columns": sorted(
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in here.get_columns(name)
            ),
            "primary key": here.get_pk_constraint(name)["constrained_columns"],
            "unique": sorted(each["column_names"] for each in here.get_unique_constraints(name)),
            "checks": sorted(each["sqltext"] for each in here.get_check_constraints(name)),
            "foreign keys": sorted(
                (
                    each["constrained_columns"],
                    each["referred_table"],
                    each["referred_columns"],
                    sorted(each["options"].items()),
                )
                for each in here.get_foreign_keys(name)
            ),
        }
        for name in here.get_table_names()
        if name != "alembic_version"
    }
    with engine.connect() as connection:
        indexes = connection.execute(text(CATALOG[engine.dialect.name])).all()
    found = {name: spaced(sql) for name, sql in indexes if not name.startswith("alembic_version")}
    return tables, found


def spaced(sql):
    """SQL with the same spaces everywhere."""
    return re.sub(r"\s+", " ", sql)


def migrate(engine, step=command.upgrade, to="head", **options):
    """Run the site's migrations."""
    config = Config(INI, output_buffer=options.pop("output", None))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        step(config, to, **options)


def by_models(engine):
    """Make the tables that the models declare, and ours."""
    for metadata in (Base.metadata, efface_tables):
        metadata.create_all(engine)


def emptied(engine):
    for metadata in (efface_tables, Base.metadata):
        metadata.drop_all(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))


def test_the_migrations_and_the_models_make_the_same_database(database):
    """Columns, types, NULL, defaults, keys, and indexes that are partial or over expressions."""
    migrate(database)
    by_migrations = described(database)
    emptied(database)
    by_models(database)

    tables, indexes = described(database)

    assert set(tables) == {*Base.metadata.tables, *efface_tables.tables}
    assert {"ix_users_email", "ix_users_open"} <= set(indexes)
    assert (tables, indexes) == by_migrations


@pytest.mark.parametrize("database", ON_BOTH, indirect=True)
@pytest.mark.parametrize(
    "difference",
    [
        "ALTER TABLE posts ADD COLUMN mood VARCHAR",
        "ALTER TABLE posts DROP COLUMN title",
        "DROP INDEX ix_users_open",
        "DROP INDEX ix_users_email",
        "CREATE INDEX ix_posts_title ON posts (lower(title))",
        "CREATE INDEX ix_open_titles ON posts (title) WHERE title <> ''",
        "CREATE TABLE extra (id INTEGER REFERENCES users (id))",
    ],
)
def test_whatever_differs_is_seen(database, difference):
    by_models(database)
    before = described(database)

    with database.begin() as connection:
        connection.execute(text(difference))

    assert described(database) != before


def closed_account(engine):
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO users (email, inserted_at, updated_at, deleted_at) VALUES "
                "('x@users.invalid', '2026-01-01', '2026-01-01', '2026-01-02')"
            )
        )


def recorded_closing(engine):
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO efface_closings (reference, subject, closed_at, actor, policy, "
                "receipt) VALUES ('r', 's', '2026-01-01', 'a', 'p', '{}')"
            )
        )


@pytest.mark.parametrize("happened", [closed_account, recorded_closing])
def test_there_is_no_way_back_past_a_closed_account(database, happened):
    migrate(database)
    happened(database)
    before = described(database)

    with pytest.raises(ClosedAccountsError):
        migrate(database, command.downgrade, "0001")

    assert described(database) == before


@pytest.mark.parametrize("database", ON_BOTH, indirect=True)
def test_without_closed_accounts_there_is_a_way_back_and_forth(database):
    migrate(database)
    before = described(database)

    migrate(database, command.downgrade, "base")
    nothing, _ = described(database)
    migrate(database)

    assert nothing == {}
    assert described(database) == before


def test_written_as_sql_the_way_forth_is_all_there_and_the_way_back_is_refused(database):
    """What nobody can look at might be closed."""
    forth, back = StringIO(), StringIO()

    migrate(database, sql=True, output=forth)
    with pytest.raises(ClosedAccountsError) as refused:
        migrate(database, command.downgrade, "0002:0001", sql=True, output=back)

    assert "ALTER TABLE users ADD COLUMN deleted_at" in forth.getvalue()
    assert "CREATE INDEX ix_users_open ON users (id) WHERE deleted_at IS NULL" in forth.getvalue()
    assert "CREATE TABLE efface_closings" in forth.getvalue()
    assert refused.value.rows is None
    assert "DROP" not in back.getvalue()
