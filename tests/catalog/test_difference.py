"""Where a live database is other than the models, on every database that tests have."""

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)

from efface.catalog import Catalog
from efface.catalog.difference import What, difference
from efface.catalog.metadata import ENFORCED


def models():
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("email", String(80), unique=True, nullable=False),
        Column("name", Text),
        Index("by_name", func.lower(text("name")), unique=True),
    )
    Table(
        "posts",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("author_id", ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
        Column("editor_id", ForeignKey("people.id")),
        Column("title", String(20)),
        UniqueConstraint("author_id", "title"),
        CheckConstraint("title <> ''"),
    )
    return metadata


PEOPLE = """CREATE TABLE people
     (id INTEGER PRIMARY KEY, email VARCHAR(80) NOT NULL UNIQUE, name TEXT)
"""
POSTS = """CREATE TABLE posts (id INTEGER PRIMARY KEY,
     author_id INTEGER NOT NULL REFERENCES people ON DELETE CASCADE,
     editor_id INTEGER REFERENCES people, title VARCHAR(20), UNIQUE (title, author_id))
"""
BY_NAME = "CREATE UNIQUE INDEX by_name ON people (lower(name))"
MADE = (PEOPLE, POSTS, BY_NAME)


def found(read, engine, *statements, metadata=None):
    database = read(engine, *statements)
    return {
        (each.what, str(each.relation), *each.columns): each
        for each in difference(Catalog.of_models(metadata or models()), database)
    }


def test_tables_as_the_models_make_them_are_no_different(database, read):
    metadata = models()
    metadata.create_all(database)

    assert found(read, database, metadata=metadata) == {}


def test_the_order_of_columns_and_who_named_a_key_make_no_difference(database, read):
    assert found(read, database, *MADE) == {}


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("email VARCHAR(80) NOT NULL UNIQUE", "email VARCHAR(80) NOT NULL",
         (What.UNIQUE, "people", "email")),
        ("email VARCHAR(80) NOT NULL", "email VARCHAR(80)", (What.NULLABLE, "people", "email")),
        ("email VARCHAR(80)", "email VARCHAR(79)", (What.LENGTH, "people", "email")),
        (", name TEXT", ", name VARCHAR(10)", (What.LENGTH, "people", "name")),
        (", name TEXT", ", name TEXT, phone TEXT", (What.COLUMN_EXTRA, "people", "phone")),
        ("editor_id INTEGER REFERENCES people, ", "", (What.COLUMN_MISSING, "posts", "editor_id")),
        ("editor_id INTEGER REFERENCES people", "editor_id INTEGER",
         (What.FOREIGN_KEY, "posts", "editor_id")),
        ("editor_id INTEGER REFERENCES people", "editor_id INTEGER REFERENCES posts",
         (What.TARGET, "posts", "editor_id")),
        ("editor_id INTEGER REFERENCES people",
         "editor_id INTEGER REFERENCES people ON DELETE SET NULL",
         (What.ON_DELETE, "posts", "editor_id")),
        ("REFERENCES people,", "REFERENCES people ON UPDATE CASCADE,",
         (What.ON_UPDATE, "posts", "editor_id")),
        ("REFERENCES people,", "REFERENCES people DEFERRABLE INITIALLY DEFERRED,",
         (What.DEFERRED, "posts", "editor_id")),
        ("title VARCHAR(20)", "title VARCHAR(20) UNIQUE", (What.UNIQUE, "posts", "title")),
        ("UNIQUE (title, author_id)", "UNIQUE (title, author_id, editor_id)",
         (What.UNIQUE, "posts", "author_id", "title")),
        ("lower(name)", "upper(name)", (What.UNIQUE, "people")),
        ("(lower(name))", "(lower(name)) WHERE name <> ''", (What.UNIQUE, "people")),
        ("posts (id INTEGER PRIMARY KEY", "posts (id INTEGER NOT NULL",
         (What.PRIMARY_KEY, "posts", "id")),
    ],
)  # fmt: skip
def test_each_kind_of_difference(database, read, old, new, key):
    assert any(old in each for each in MADE)

    different = found(read, database, *(each.replace(old, new) for each in MADE))

    assert key in different
    others = {each[0] for each in different} - {key[0]}
    assert not others


def test_both_sides_are_handed_on(database, read):
    different = found(
        read,
        database,
        PEOPLE.replace("NOT NULL", ""),
        POSTS.replace("CASCADE", "RESTRICT"),
        BY_NAME,
    )

    nullable = different[What.NULLABLE, "people", "email"]
    assert (nullable.models.nullable, nullable.database.nullable) == (False, True)
    action = different[What.ON_DELETE, "posts", "author_id"]
    assert (action.models.on_delete, action.database.on_delete) == ("CASCADE", "RESTRICT")


def test_relations_on_one_side(database, read):
    different = found(
        read,
        database,
        PEOPLE,
        BY_NAME,
        "CREATE TABLE old_profile (user_id INTEGER REFERENCES people ON DELETE CASCADE)",
        "CREATE VIEW shown AS SELECT id FROM people",
        "CREATE TEMP TABLE passing (id INTEGER)",
    )

    assert set(different) == {
        (What.RELATION_MISSING, "posts"),
        (What.RELATION_EXTRA, "old_profile"),
        (What.RELATION_EXTRA, "shown"),
    }
    assert different[What.RELATION_EXTRA, "old_profile"].database.foreign_keys


def test_a_model_whose_table_is_a_view(database, read):
    metadata = MetaData()
    Table("card", metadata, Column("id", Integer, primary_key=True), Column("email", Text))

    different = found(
        read,
        database,
        "CREATE TABLE kept (id INTEGER PRIMARY KEY, email TEXT)",
        "CREATE VIEW card AS SELECT id, email FROM kept",
        metadata=metadata,
    )

    assert set(different) == {(What.KIND, "card"), (What.RELATION_EXTRA, "kept")}


def test_a_reference_that_the_models_know_without_a_constraint(database, read):
    """As Django's ``db_constraint=False``: nothing to report, unless the database has one."""
    metadata = MetaData()
    Table("people", metadata, Column("id", Integer, primary_key=True))
    key = ForeignKeyConstraint(["author_id"], ["people.id"], info={ENFORCED: False})
    Table("posts", metadata, Column("author_id", Integer), key)
    people = "CREATE TABLE people (id INTEGER PRIMARY KEY)"

    without = found(
        read, database, people, "CREATE TABLE posts (author_id INTEGER)", metadata=metadata
    )

    assert without == {}


def test_generated_columns_on_one_side(database, read):
    metadata = MetaData()
    Table("people", metadata, Column("name", Text), Column("upper", Text))

    different = found(
        read,
        database,
        "CREATE TABLE people (name TEXT, upper TEXT GENERATED ALWAYS AS (upper(name)) STORED)",
        metadata=metadata,
    )

    assert set(different) == {(What.GENERATED, "people", "upper")}


def test_names_in_capitals_are_the_same_names_on_sqlite(sqlite, read):
    different = found(
        read, sqlite, *(each.replace("people", "People").replace("id", "ID") for each in MADE)
    )

    assert different == {}


def test_a_collation_that_takes_different_text_for_equal(sqlite, read):
    different = found(read, sqlite, PEOPLE.replace("TEXT", "TEXT COLLATE NOCASE"), POSTS, BY_NAME)

    assert set(different) == {(What.DETERMINISTIC, "people", "name")}


def test_where_a_virtual_table_keeps_its_data_is_not_reported(sqlite, read):
    different = found(read, sqlite, *MADE, "CREATE VIRTUAL TABLE words USING fts5(body)")

    assert set(different) == {(What.RELATION_EXTRA, "words")}


@pytest.mark.postgresql
def test_partitions_are_their_parents_and_heirs_only_where_they_have_more(postgresql, read):
    metadata = MetaData()
    Table("log", metadata, Column("at", Integer), postgresql_partition_by="RANGE (at)")
    Table("notes", metadata, Column("body", Text))

    different = found(
        read,
        postgresql,
        "CREATE TABLE log (at int) PARTITION BY RANGE (at)",
        "CREATE TABLE log_1 PARTITION OF log DEFAULT",
        "CREATE TABLE notes (body text)",
        "CREATE TABLE more () INHERITS (notes)",
        "CREATE TABLE letters (address text) INHERITS (notes)",
        metadata=metadata,
    )

    assert set(different) == {(What.COLUMN_EXTRA, "letters", "address")}


@pytest.mark.postgresql
def test_keys_whose_triggers_are_disabled(postgresql, read):
    different = found(read, postgresql, *MADE, "ALTER TABLE posts DISABLE TRIGGER ALL")

    assert set(different) == {
        (What.ENFORCED, "posts", "author_id"),
        (What.ENFORCED, "posts", "editor_id"),
    }


@pytest.mark.postgresql
def test_nulls_that_are_equal_make_another_key(postgresql, read):
    different = found(
        read,
        postgresql,
        PEOPLE,
        POSTS.replace("UNIQUE (", "UNIQUE NULLS NOT DISTINCT ("),
        BY_NAME,
    )

    assert set(different) == {
        (What.UNIQUE, "posts", "author_id", "title"),
        (What.UNIQUE, "posts", "title", "author_id"),
    }


@pytest.mark.postgresql
def test_models_may_name_the_schema_that_the_search_path_finds(postgresql, read):
    metadata = MetaData(schema="public")
    Table("people", metadata, Column("id", Integer, primary_key=True))
    Table("posts", metadata, Column("author", ForeignKey("public.people.id")))
    metadata.create_all(postgresql)

    assert difference(Catalog.of_models(metadata), read(postgresql)) == ()
    assert difference(Catalog.of_models(metadata), read(postgresql, schemas=["public"])) == ()
