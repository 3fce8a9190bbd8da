"""Which schemas of PostgreSQL are read, and what is read without permission."""

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import NullPool

from efface.catalog import Catalog
from efface.catalog.unknown import Unknown

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]


# ---------------------------------------------------------------- schemas


def test_relations_of_the_schemas_that_are_asked_for(postgresql, read, schema):
    statements = ["CREATE TABLE people (id int)", 'CREATE TABLE "Other one".people (id text)']

    assert [str(e) for e in read(postgresql, *statements).relations] == ["people"]
    named = read(postgresql, schemas=[schema])
    both = read(postgresql, schemas=[None, schema])

    assert [str(each) for each in named.relations] == ["Other one.people"]
    assert named.find("people") is None
    assert [each.name for each in both.relations] == [(schema, "people"), (None, "people")]
    assert both.find("people", schema).column("id").type == "text"
    # By where it really is as well; models may name the schema that they are found in.
    assert both.find("people", "public") is both.find("people")


def test_a_name_without_a_schema_is_what_the_search_path_finds(postgresql, read, schema):
    catalog = read(
        postgresql,
        "CREATE TABLE people (id int)",
        "CREATE TABLE teams (id int)",
        'CREATE TABLE "Other one".people (id text)',
        'SET LOCAL search_path = "Other one", public',
    )

    assert [(str(each), each.namespace) for each in catalog.relations] == [
        ("people", schema), ("teams", "public"),
    ]  # fmt: skip


def test_a_temporary_table_hides_the_one_of_its_name(postgresql, read):
    catalog = read(postgresql, "CREATE TABLE people (id int)", "CREATE TEMP TABLE people (id text)")

    (people,) = catalog.relations
    assert people.is_temporary
    assert people.column("id").type == "text"


def test_what_refers_to_these_schemas_from_elsewhere_is_told(postgresql, read, schema):
    """It is deleted along with its target, or keeps the target from being deleted."""
    catalog = read(
        postgresql,
        "CREATE TABLE people (id int PRIMARY KEY)",
        """CREATE TABLE "Other one".a (id int PRIMARY KEY,
             person int REFERENCES people ON DELETE CASCADE)""",
        'CREATE TABLE "Other one".b (a int REFERENCES "Other one".a ON DELETE CASCADE)',
        'CREATE TABLE "Other one".unconcerned (id int)',
    )

    assert [str(e) for e in catalog.relations] == ["Other one.a", "Other one.b", "people"]
    ((where, key),) = catalog.references_to(catalog.find("people"))
    assert (str(where), key.columns) == ("Other one.a", ("person",))


def test_relations_of_extensions_say_so(postgresql, read):
    catalog = read(
        postgresql,
        "CREATE TABLE people (id int)",
        "CREATE TABLE internal (id int)",
        "ALTER EXTENSION plpgsql ADD TABLE internal",
    )
    read(postgresql, "ALTER EXTENSION plpgsql DROP TABLE internal")

    assert catalog.find("people").extension is None
    assert catalog.find("internal").extension == "plpgsql"


# ---------------------------------------------------------------- refusals


def test_without_permission_nothing_is_known_and_the_transaction_goes_on(server_urls, role):
    engine = create_engine(server_urls["postgresql"], poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE people (id int)"))
        connection.execute(text("INSERT INTO people VALUES (1)"))
        connection.execute(text(f"GRANT ALL ON people TO {role}"))
        connection.execute(text("REVOKE SELECT ON pg_catalog.pg_constraint FROM PUBLIC"))
        connection.execute(text(f"SET LOCAL ROLE {role}"))

        catalog = Catalog.of_database(connection)

        assert catalog == Unknown("InsufficientPrivilege", "42501")
        assert connection.scalar(text("SELECT count(*) FROM people")) == 1
        connection.rollback()
    engine.dispose()


def test_a_connection_that_commits_each_statement_is_read_as_well(server_urls, postgresql, read):
    read(postgresql, "CREATE TABLE people (id int)")
    engine = create_engine(server_urls["postgresql"], isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        catalog = Catalog.of_database(connection)
    engine.dispose()

    assert catalog.find("people") is not None


def test_the_number_of_statements_does_not_depend_on_the_tables(postgresql, read):
    statements = []
    event.listen(postgresql, "before_cursor_execute", lambda *a: statements.append(a[2]))
    read(postgresql)
    few = len(statements)
    read(postgresql, *(f"CREATE TABLE t{n} (id int PRIMARY KEY)" for n in range(20)))

    assert few <= 14
    assert len(statements) - few - 20 == few
