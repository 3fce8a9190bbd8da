"""What SQLite says of itself, read by a few queries and from the text of its tables."""

import sqlite3

import pytest
from sqlalchemy import create_engine, event, text

from efface.catalog import Catalog
from efface.catalog.relation import Check, Index, Kind, Name, Part, Trigger
from efface.catalog.unknown import Unknown


def test_each_kind_of_relation_has_its_name(sqlite, read):
    catalog = read(
        sqlite,
        "CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)",
        "CREATE VIEW open AS SELECT id, upper(name) AS name FROM people",
        "CREATE VIRTUAL TABLE words USING fts5(body)",
        "CREATE TABLE words_of_my_own (body TEXT)",
    )

    kinds = {str(each): each.kind for each in catalog.relations}
    assert {name: kind for name, kind in kinds.items() if kind is not Kind.SHADOW} == {
        "people": Kind.TABLE,
        "open": Kind.VIEW,
        "words": Kind.VIRTUAL,
        "words_of_my_own": Kind.TABLE,
    }
    assert kinds["words_content"] is Kind.SHADOW
    assert [column.name for column in catalog.find("open").columns] == ["id", "name"]
    assert [column.name for column in catalog.find("words").columns] == ["body"]


def test_a_view_that_no_longer_works_has_no_columns_and_harms_no_other(sqlite, read):
    catalog = read(
        sqlite,
        "CREATE TABLE people (id int)",
        "CREATE TABLE gone (id int)",
        'CREATE VIEW "it\'s broken" AS SELECT id FROM gone',
        "CREATE VIEW works AS SELECT id FROM people",
        "DROP TABLE gone",
    )

    assert catalog.find("it's broken").kind is Kind.VIEW
    assert catalog.find("it's broken").columns == ()
    assert [column.name for column in catalog.find("works").columns] == ["id"]


def test_columns_with_all_that_a_table_says_of_them(sqlite, read):
    catalog = read(
        sqlite,
        """CREATE TABLE people (
             id INTEGER PRIMARY KEY, -- a comment, with (brackets
             "e mail" VARCHAR(80) NOT NULL DEFAULT ('x' || ',') COLLATE NOCASE,
             [in brackets] TEXT /* and this, too */ COLLATE BINARY,
             upper TEXT GENERATED ALWAYS AS (upper("e mail")) VIRTUAL,
             both TEXT AS ("e mail" || ')') STORED COLLATE "RTRIM",
             made DATETIME DEFAULT CURRENT_TIMESTAMP)""",
    )

    id_, email, bracketed, upper, both, made = catalog.find("people").columns
    assert (id_.type, id_.identity, id_.nullable) == ("INTEGER", "BY DEFAULT", False)
    assert (email.name, email.type, email.length) == ("e mail", "VARCHAR(80)", 80)
    assert (email.nullable, email.default) == (False, "'x' || ','")
    assert (email.collation, email.is_deterministic) == ("NOCASE", False)
    assert (bracketed.name, bracketed.collation, bracketed.is_deterministic) == (
        "in brackets", None, True,
    )  # fmt: skip
    assert (upper.generated, upper.default) == ('upper("e mail")', None)
    assert (both.generated, both.collation) == ("\"e mail\" || ')'", "RTRIM")
    assert (made.default, made.nullable, made.generated) == ("CURRENT_TIMESTAMP", True, None)


@pytest.mark.parametrize(
    ("columns", "key", "rowid"),
    [
        ("id INTEGER PRIMARY KEY", ("id",), "rowid"),
        ("a int, b int, PRIMARY KEY (b, a)", ("b", "a"), "rowid"),
        ("rowid TEXT, id INTEGER PRIMARY KEY", ("id",), "_rowid_"),
        ("RowId INTEGER PRIMARY KEY, name TEXT", ("RowId",), "rowid"),
        ("rowid TEXT PRIMARY KEY, _rowid_ TEXT, oid TEXT", ("rowid",), None),
        ("id INTEGER PRIMARY KEY) WITHOUT ROWID, STRICT --", ("id",), None),
        ("id INTEGER PRIMARY KEY DESC", ("id",), "rowid"),
        ("name TEXT", (), "rowid"),
    ],
)
def test_how_a_row_is_addressed(sqlite, read, columns, key, rowid):
    catalog = read(sqlite, f"CREATE TABLE things ({columns}\n)".replace("--\n)", ""))

    things = catalog.find("things")
    assert things.primary_key == key
    assert things.rowid == rowid
    assert things.is_without_rowid == ("WITHOUT" in columns)


def test_a_key_that_is_not_the_rowid_can_be_null(sqlite, read):
    catalog = read(
        sqlite,
        "CREATE TABLE a (id TEXT PRIMARY KEY)",
        "CREATE TABLE b (id TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE c (id INTEGER PRIMARY KEY)",
    )

    assert [catalog.find(name).column("id").nullable for name in "abc"] == [True, False, False]


def test_unique_keys_of_every_form(sqlite, read):
    catalog = read(
        sqlite,
        """CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT COLLATE NOCASE, name TEXT UNIQUE,
             gone TEXT, UNIQUE (name, email))""",
        """CREATE UNIQUE INDEX a ON people (lower(email) COLLATE NOCASE DESC, "name")
             WHERE gone IS NULL AND name <> ')'""",
        "CREATE INDEX b ON people (gone)",
        "CREATE UNIQUE INDEX c ON people (email COLLATE BINARY)",
    )

    key, *others = catalog.find("people").indexes
    assert key == Index(None, (Part("id"),), is_unique=True, is_primary=True)
    nocase = {"collation": "NOCASE", "is_deterministic": False}
    assert others == [
        Index(None, (Part("name"),), is_unique=True),
        Index(None, (Part("name"), Part("email", **nocase)), is_unique=True),
        Index(
            "a",
            (Part(None, "lower(email)", **nocase), Part("name")),
            is_unique=True,
            condition="gone IS NULL AND name <> ')'",
        ),
        Index("b", (Part("gone"),)),
        Index("c", (Part("email"),), is_unique=True),
    ]


def test_foreign_keys_with_what_they_do_and_when(sqlite, read):
    catalog = read(
        sqlite,
        "PRAGMA foreign_keys = ON",
        "CREATE TABLE People (Id INTEGER PRIMARY KEY, team int, UNIQUE (Id, team))",
        """CREATE TABLE posts (
             parent int REFERENCES posts ON DELETE CASCADE NOT DEFERRABLE INITIALLY DEFERRED,
             author int CONSTRAINT x REFERENCES people (id) ON DELETE SET NULL
               DEFERRABLE INITIALLY DEFERRED,
             team int, editor int REFERENCES people DEFERRABLE,
             CONSTRAINT y FOREIGN KEY (AUTHOR, team) REFERENCES people (id, team)
               ON UPDATE CASCADE)""",
    )
    keys = catalog.find("posts").foreign_keys
    by_columns = {key.columns: key for key in keys}

    parent, author = by_columns[("parent",)], by_columns[("author",)]
    assert (parent.target, parent.on_delete) == (Name(None, "posts"), "CASCADE")
    assert (parent.deferrable, parent.initially_deferred) == (False, False)
    assert (author.target, author.target_columns) == (Name(None, "People"), ("Id",))
    assert (author.on_delete, author.set_columns) == ("SET NULL", ("author",))
    assert (author.deferrable, author.initially_deferred) == (True, True)
    editor = by_columns[("editor",)]
    assert editor.target_columns == ("Id",)
    assert (editor.deferrable, editor.initially_deferred) == (True, False)
    both = by_columns[("author", "team")]
    assert (both.target_columns, both.on_update) == (("Id", "team"), "CASCADE")
    assert all(key.is_checked and key.is_acting for key in keys)
    assert len(list(catalog.references_to(catalog.find("people")))) == 3


def test_foreign_keys_that_the_connection_does_not_enforce(sqlite, read):
    catalog = read(
        sqlite,
        "CREATE TABLE people (id INTEGER PRIMARY KEY)",
        "CREATE TABLE posts (author int REFERENCES people)",
    )

    (key,) = catalog.find("posts").foreign_keys
    assert (key.is_checked, key.is_acting) == (False, False)


def test_checks_are_text_with_their_columns(sqlite, read):
    catalog = read(
        sqlite,
        """CREATE TABLE people (mode int CONSTRAINT "of mode" CHECK (mode IN (1, 2)) NOT NULL,
             name TEXT CHECK (length(name) > 0), gone TEXT,
             CONSTRAINT either CHECK ((gone IS NULL) = (name <> 'mode, (')) CHECK (1))""",
    )

    assert catalog.find("people").checks == (
        Check("of mode", "mode IN (1, 2)", ("mode",)),
        Check(None, "length(name) > 0", ("name",)),
        Check("either", "(gone IS NULL) = (name <> 'mode, (')", ("name", "gone")),
        Check(None, "1", ()),
    )


def test_triggers_with_their_events(sqlite, read):
    catalog = read(
        sqlite,
        "CREATE TABLE people (id int, email text)",
        "CREATE VIEW open AS SELECT id FROM people",
        'CREATE TRIGGER "after" UPDATE OF email, "id" ON people BEGIN SELECT 1; END',
        "CREATE TRIGGER b AFTER DELETE ON People WHEN old.id > 1 BEGIN SELECT 1; END",
        "CREATE TRIGGER c INSTEAD OF INSERT ON open BEGIN SELECT 1; END",
        "CREATE TEMP TRIGGER d BEFORE INSERT ON people BEGIN SELECT 1; END",
    )

    assert catalog.find("people").triggers == (
        Trigger("after", "BEFORE", ("UPDATE",), "ROW", ("email", "id")),
        Trigger("b", "AFTER", ("DELETE",), "ROW"),
        Trigger("d", "BEFORE", ("INSERT",), "ROW"),
    )
    assert catalog.find("open").triggers == (Trigger("c", "INSTEAD OF", ("INSERT",), "ROW"),)


# ---------------------------------------------------------------- names and schemas


def test_names_are_found_in_capitals_and_small_letters(sqlite, read):
    catalog = read(sqlite, 'CREATE TABLE "Order by" (id int)', 'CREATE TABLE "a.b" (id int)')

    assert str(catalog.find("ORDER BY")) == "Order by"
    assert catalog.find("order") is None
    assert catalog.find("a.b").name == Name(None, "a.b")


def test_attached_databases_are_schemas(sqlite, read):
    statements = [
        "ATTACH ':memory:' AS \"it's other\"",
        "CREATE TABLE people (id INTEGER PRIMARY KEY)",
        'CREATE TABLE "it\'s other".posts (id INTEGER PRIMARY KEY, parent int REFERENCES posts)',
        'CREATE UNIQUE INDEX "it\'s other".of_parent ON posts (parent)',
    ]
    with sqlite.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        main = Catalog.of_database(connection)
        both = Catalog.of_database(connection, [None, "it's other"])

    assert [str(each) for each in main.relations] == ["people"]
    assert [str(each) for each in both.relations] == ["it's other.posts", "people"]
    posts = both.find("posts", "it's other")
    assert posts.namespace == "it's other"
    assert posts.foreign_keys[0].target == Name("it's other", "posts")
    assert [index.name for index in posts.indexes] == [None, "of_parent"]
    assert both.find("people", "main") is both.find("people")


def test_a_temporary_table_hides_the_one_of_its_name(sqlite, read):
    catalog = read(sqlite, "CREATE TABLE people (id int)", "CREATE TEMP TABLE people (id TEXT)")

    (people,) = catalog.relations
    assert (people.is_temporary, people.namespace) == (True, "temp")
    assert people.column("id").type == "TEXT"


# ---------------------------------------------------------------- refusals


def test_a_connection_that_must_not_look_says_that_nothing_is_known():
    def forbid(action, *_):
        return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_PRAGMA else sqlite3.SQLITE_OK

    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE people (id int)"))
        connection.execute(text("INSERT INTO people VALUES (1)"))
        connection.connection.driver_connection.set_authorizer(forbid)

        catalog = Catalog.of_database(connection)

        assert catalog == Unknown("DatabaseError", "SQLITE_AUTH")
        assert connection.scalar(text("SELECT count(*) FROM people")) == 1
    engine.dispose()


def test_the_number_of_statements_does_not_depend_on_the_tables(sqlite, read):
    statements = []
    event.listen(sqlite, "before_cursor_execute", lambda *given: statements.append(given[2]))
    read(sqlite, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    few = len(statements)
    read(sqlite, *(f"CREATE TABLE t{number} (id int PRIMARY KEY)" for number in range(20)))

    assert few <= 10
    assert len(statements) - few - 20 == few - 1
