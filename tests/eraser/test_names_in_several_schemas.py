"""A search path, temporary tables and attached databases: no table of another copy is written."""

import pytest
from sqlalchemy import MetaData, text

from efface import Eraser, Policy
from efface.errors import SchemaMismatchError, UnknownSchemaError
from efface.store.efface_tables import metadata as efface_tables
from tests.eraser.real_databases import (
    ADA,
    GRACE,
    ON_POSTGRESQL,
    ON_SQLITE,
    SECRET,
    add,
    column,
    created,
    notes,
    run,
    users,
)


def tables_of(metadata, names):
    return [table for name, table in metadata.tables.items() if name in names]


@pytest.fixture
def schemas(database):
    """Make a schema with some of the tables."""
    made = []

    def create(name, metadata, *names, path=None):
        made.append(name)
        run(database, f"DROP SCHEMA IF EXISTS {name} CASCADE", f"CREATE SCHEMA {name}")
        with database.begin() as connection:
            connection.execute(text(f"SET LOCAL search_path TO {path or name}"))
            for table in tables_of(metadata, names):
                table.create(connection, checkfirst=False)
            if "efface_closings" in names:
                efface_tables.create_all(connection, checkfirst=False)

    yield create
    for name in made:
        run(database, f"DROP SCHEMA {name} CASCADE")


WHOLE = ("users", "notes", "efface_closings")


def closed_in(engine, path, eraser, pk=1):
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL search_path TO {path}"))
        return eraser.close_account(connection, pk, actor="test")


def bodies(engine, schema):
    with engine.connect() as connection:
        return list(connection.scalars(text(f"SELECT body FROM {schema}.notes ORDER BY id")))


@ON_POSTGRESQL
def test_the_tables_of_a_tenant_alone_are_closed_and_the_search_names_them(database, schemas):
    metadata = MetaData()
    users(metadata)
    notes(metadata)
    eraser = created(metadata, database)
    for tenant in ("north", "south"):
        schemas(tenant, metadata, *WHOLE)
        run(
            database,
            f"INSERT INTO {tenant}.users (id, email) VALUES (1, 'ada@{tenant}.example')",
            f"INSERT INTO {tenant}.notes (id, user_id, body) VALUES (1, 1, 'in {tenant}')",
        )

    receipt = closed_in(database, "north", eraser)

    assert (bodies(database, "north"), bodies(database, "south")) == ([], ["in south"])
    with database.begin() as connection:
        connection.execute(text("SET LOCAL search_path TO north"))
        search = eraser.finalize(connection, receipt).search
    assert "of schema north" in search.summary()
    assert search.is_clean


@ON_POSTGRESQL
def test_shared_users_with_rows_in_several_tenants_are_refused(database, schemas):
    metadata = MetaData()
    users(metadata)
    notes(metadata)
    eraser = Eraser(Policy.from_metadata(metadata), secret=SECRET)
    with database.begin() as connection:
        metadata.tables["users"].create(connection)
        eraser.create_tables(connection)
    schemas("north", metadata, "notes")
    run(
        database,
        f"INSERT INTO users (id, email) VALUES (1, '{ADA}'), (2, '{GRACE}')",
        "INSERT INTO north.notes (id, user_id, body) VALUES (1, 1, 'north')",
    )
    # One tenant has all rows, until there is another.
    closed_in(database, "north, public", eraser, 2)
    schemas("south", metadata, "notes")
    run(database, "INSERT INTO south.notes (id, user_id, body) VALUES (1, 1, 'south')")

    with pytest.raises(UnknownSchemaError, match="several schemas"):
        closed_in(database, "north, public", eraser)
    with pytest.raises(SchemaMismatchError, match="no table notes"):
        closed_in(database, "public", eraser)

    assert bodies(database, "north") == ["north"]
    assert bodies(database, "south") == ["south"]


@ON_POSTGRESQL
@pytest.mark.parametrize("missing", ["notes", "efface_closings"])
def test_a_tenants_user_does_not_get_the_tables_of_another_schema(database, schemas, missing):
    """A name that the tenant lacks is found in the next schema of the search path."""
    metadata = MetaData()
    users(metadata)
    texts = notes(metadata)
    eraser = created(metadata, database)
    run(database, f"INSERT INTO users (id, email) VALUES (1, '{GRACE}')")
    add(database, texts, {"id": 1, "user_id": 1, "body": "by Grace"})
    schemas("north", metadata, *(name for name in WHOLE if name != missing))
    run(database, f"INSERT INTO north.users (id, email) VALUES (1, '{ADA}')")

    with pytest.raises(UnknownSchemaError, match="north") as caught:
        closed_in(database, "north, public", eraser)

    assert [problem.place for problem in caught.value.problems] == [missing]
    assert column(database, texts, "body") == ["by Grace"]


def test_a_temporary_table_does_not_stand_for_the_real_one(database):
    metadata = MetaData()
    people, texts = users(metadata), notes(metadata)
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA})
    add(database, texts, {"id": 1, "user_id": 1, "body": "hers"})

    with database.connect() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE notes (id int, user_id int, body text)"))
        with pytest.raises(UnknownSchemaError) as caught:
            eraser.close_account(connection, 1, actor="test")
        # Nothing was changed, so the transaction can go on.
        assert connection.execute(text("SELECT 1")).scalar() == 1
        connection.rollback()

    assert [problem.place for problem in caught.value.problems] == ["notes"]
    assert column(database, people, "email") == [ADA]


@ON_SQLITE
def test_an_attached_database_does_not_stand_for_the_main_one(database, tmp_path):
    metadata = MetaData()
    people = users(metadata)
    notes(metadata)
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA})
    run(database, "DROP TABLE notes")

    with database.connect() as connection:
        connection.exec_driver_sql(f"ATTACH '{tmp_path / 'other.db'}' AS other")
        connection.exec_driver_sql("CREATE TABLE other.notes (id int, user_id int, body text)")
        connection.exec_driver_sql("INSERT INTO other.notes VALUES (1, 1, 'by another user 1')")
        with pytest.raises(SchemaMismatchError, match="no table notes"):
            eraser.close_account(connection, 1, actor="test")
        rows = connection.exec_driver_sql("SELECT body FROM other.notes").all()
        connection.rollback()

    assert rows == [("by another user 1",)]
