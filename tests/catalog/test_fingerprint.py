"""The text that changes with the schema, and with nothing else."""

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.dialects import mysql

from efface.catalog import Catalog
from efface.catalog.fingerprints import fingerprint
from efface.catalog.unknown import Unknown
from efface.errors import EffaceError
from efface.errors.catalog_refusals import UnsupportedDatabaseError

TABLES = (
    "CREATE TABLE people (id INTEGER PRIMARY KEY, email VARCHAR(80))",
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, author_id INTEGER REFERENCES people)",
)


@pytest.fixture
def made(database):
    with database.begin() as connection:
        for statement in TABLES:
            connection.execute(text(statement))
    return database


@pytest.fixture
def made_on_postgresql(postgresql):
    with postgresql.begin() as connection:
        for statement in TABLES:
            connection.execute(text(statement))
        connection.execute(
            text(
                "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql "
                "AS $$ BEGIN RETURN NULL; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE TRIGGER audit AFTER UPDATE ON people FOR EACH ROW "
                "EXECUTE FUNCTION nothing()"
            )
        )
    return postgresql


def now(engine, schemas=(None,)):
    with engine.connect() as connection:
        return fingerprint(connection, schemas)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE notes (id INTEGER)",
        "DROP TABLE posts",
        "ALTER TABLE people ADD COLUMN phone TEXT",
        "CREATE UNIQUE INDEX a ON people (email)",
        "CREATE VIEW open AS SELECT id FROM people",
        "CREATE TABLE follows (a INTEGER REFERENCES people ON DELETE CASCADE)",
    ],
)
def test_another_schema_has_another_fingerprint(made, statement):
    before = now(made)

    with made.begin() as connection:
        connection.execute(text(statement))

    assert now(made) != before


def test_rows_and_reading_change_nothing(made):
    with made.begin() as connection:
        # SQLite makes its table of statistics when it is first needed.
        connection.execute(text("ANALYZE"))
    before = now(made)

    with made.begin() as connection:
        connection.execute(text("INSERT INTO people VALUES (1, 'ada@lovelace.example')"))
        Catalog.of_database(connection)
    with made.begin() as connection:
        connection.execute(text("ANALYZE"))

    assert now(made) == before


def test_a_catalog_has_the_fingerprint_of_what_was_read(made):
    with made.connect() as connection:
        catalog = Catalog.of_database(connection)

        assert catalog.fingerprint == fingerprint(connection)
        assert catalog.fingerprint == fingerprint(connection, guarded=False)


def test_it_changes_at_once_for_those_who_change_the_schema(made):
    with made.connect() as connection:
        before = fingerprint(connection)
        connection.execute(text("CREATE TABLE notes (id INTEGER)"))

        assert fingerprint(connection) != before


@pytest.mark.postgresql
def test_a_change_that_is_rolled_back_leaves_the_fingerprint(made_on_postgresql):
    with made_on_postgresql.connect() as connection:
        before = fingerprint(connection)
        connection.execute(text("ALTER TABLE people ADD COLUMN phone TEXT"))
        connection.rollback()

        assert fingerprint(connection) == before


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE posts DROP CONSTRAINT posts_author_id_fkey",
        "ALTER TABLE posts ALTER CONSTRAINT posts_author_id_fkey DEFERRABLE INITIALLY DEFERRED",
        "ALTER TABLE people ADD CHECK (email <> '')",
        "ALTER TABLE people ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE people DISABLE TRIGGER audit",
        "ALTER TABLE posts DISABLE TRIGGER ALL",
        "CREATE OR REPLACE TRIGGER audit AFTER DELETE ON people EXECUTE FUNCTION nothing()",
        "DROP TRIGGER audit ON people",
        "CREATE RULE keep AS ON DELETE TO people DO INSTEAD NOTHING",
        "CREATE TEMP TABLE people (id int)",
    ],
)
def test_what_postgresql_notices(made_on_postgresql, statement):
    with made_on_postgresql.connect() as connection:
        before = fingerprint(connection)
        connection.execute(text(statement))

        assert fingerprint(connection) != before


@pytest.mark.postgresql
def test_a_key_that_is_made_again_with_another_action_is_noticed(made_on_postgresql):
    """Nothing of pg_class tells these two apart."""
    before = now(made_on_postgresql)

    with made_on_postgresql.begin() as connection:
        connection.execute(text("ALTER TABLE posts DROP CONSTRAINT posts_author_id_fkey"))
        connection.execute(
            text(
                "ALTER TABLE posts ADD FOREIGN KEY (author_id) REFERENCES people ON DELETE CASCADE"
            )
        )

    assert now(made_on_postgresql) != before


@pytest.mark.postgresql
@pytest.mark.parametrize("statement", ["TRUNCATE posts", "VACUUM FULL", "REINDEX TABLE people"])
def test_what_rewrites_a_table_changes_no_schema(made_on_postgresql, server_urls, statement):
    before = now(made_on_postgresql)

    engine = create_engine(server_urls["postgresql"], isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()

    assert now(made_on_postgresql) == before


@pytest.mark.postgresql
def test_other_schemas_count_only_where_they_are_asked_for(made_on_postgresql, schema):
    before = now(made_on_postgresql), now(made_on_postgresql, [schema])

    with made_on_postgresql.begin() as connection:
        connection.execute(text('CREATE TABLE "Other one".notes (id int)'))

    assert now(made_on_postgresql) == before[0]
    assert now(made_on_postgresql, [schema]) != before[1]


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "statement",
    [
        'SET LOCAL search_path = "Other one", public',
        "SET LOCAL session_replication_role = replica",
        "SET LOCAL row_security = off",
    ],
)
def test_what_changes_a_catalog_without_a_change_of_the_schema(
    made_on_postgresql, schema, statement
):
    with made_on_postgresql.connect() as connection:
        before = fingerprint(connection)
        connection.execute(text(statement))

        assert fingerprint(connection) != before


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMP TABLE people (id int)",
        "PRAGMA foreign_keys = ON",
        "CREATE TRIGGER a AFTER DELETE ON people BEGIN SELECT 1; END",
    ],
)
def test_what_sqlite_notices(sqlite, statement):
    with sqlite.connect() as connection:
        connection.execute(text(TABLES[0]))
        before = fingerprint(connection)
        connection.commit()
        connection.execute(text(statement))

        assert fingerprint(connection) != before


def test_attached_databases_have_versions_of_their_own(sqlite):
    with sqlite.connect() as connection:
        connection.execute(text("ATTACH ':memory:' AS \"the other\""))
        before = fingerprint(connection), fingerprint(connection, ["the other"])
        connection.execute(text('CREATE TABLE "the other".people (id int)'))

        assert fingerprint(connection) == before[0]
        assert fingerprint(connection, ["the other"]) != before[1]


@pytest.mark.postgresql
def test_it_is_unknown_without_permission(made_on_postgresql):
    with made_on_postgresql.connect() as connection:
        connection.execute(text("CREATE ROLE efface_nobody"))
        connection.execute(text("REVOKE SELECT ON pg_catalog.pg_trigger FROM PUBLIC"))
        connection.execute(text("SET LOCAL ROLE efface_nobody"))

        assert fingerprint(connection) == Unknown("InsufficientPrivilege", "42501")
        assert connection.scalar(text("SELECT 1")) == 1


def test_other_databases_are_refused_with_one_sentence(sqlite):
    with sqlite.connect() as connection:
        connection.dialect = mysql.dialect()

        with pytest.raises(UnsupportedDatabaseError) as refused:
            Catalog.of_database(connection)

    assert isinstance(refused.value, EffaceError)
    assert refused.value.message() == (
        "Efface runs on PostgreSQL and SQLite, not on mysql. Nothing was changed."
    )
