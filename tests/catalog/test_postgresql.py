"""What PostgreSQL says of itself, read by a few queries."""

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import NullPool

from efface.catalog import Catalog
from efface.catalog.relation import Check, Index, Kind, Name, Part, Trigger
from efface.catalog.unknown import Unknown

pytestmark = pytest.mark.postgresql


def test_each_kind_of_relation_has_its_name(postgresql, read):
    catalog = read(
        postgresql,
        "CREATE TABLE people (id int)",
        "CREATE TABLE log (at date) PARTITION BY RANGE (at)",
        "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
        "CREATE VIEW open AS SELECT id FROM people",
        "CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS number FROM people",
        "CREATE FOREIGN DATA WRAPPER elsewhere",
        "CREATE SERVER far FOREIGN DATA WRAPPER elsewhere",
        "CREATE FOREIGN TABLE remote (email text) SERVER far",
        "CREATE SEQUENCE numbers",
        "CREATE TYPE pair AS (one int, other int)",
    )
    with postgresql.begin() as connection:
        connection.execute(text("DROP FOREIGN DATA WRAPPER elsewhere CASCADE"))

    assert {str(each): each.kind for each in catalog.relations} == {
        "people": Kind.TABLE,
        "log": Kind.PARTITIONED,
        "log_1": Kind.TABLE,
        "open": Kind.VIEW,
        "counted": Kind.MATERIALIZED_VIEW,
        "remote": Kind.FOREIGN_TABLE,
    }
    assert [column.name for column in catalog.find("open").columns] == ["id"]
    assert catalog.find("counted").column("number").type == "bigint"
    assert {each.namespace for each in catalog.relations} == {"public"}


def test_a_partition_knows_its_parent_and_a_parent_its_partitions(postgresql, read, schema):
    catalog = read(
        postgresql,
        "CREATE TABLE log (at date, what text) PARTITION BY RANGE (at)",
        "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
        'CREATE TABLE "Other one".log_2 PARTITION OF log DEFAULT PARTITION BY LIST (what)',
        'CREATE TABLE log_3 PARTITION OF "Other one".log_2 DEFAULT',
    )

    log = catalog.find("log")
    assert log.partitioned_by == "RANGE (at)"
    assert not log.is_partition
    assert log.children == (Name(schema, "log_2"), Name(None, "log_1"))
    assert [str(each) for each in catalog.descendants(log)] == [
        "Other one.log_2", "log_3", "log_1",
    ]  # fmt: skip
    assert catalog.find("log_1").parents == (Name(None, "log"),)
    assert catalog.find("log_1").is_partition


def test_tables_that_inherit_are_no_partitions(postgresql, read):
    catalog = read(
        postgresql,
        "CREATE TABLE notes (body text)",
        "CREATE TABLE stars (number int)",
        "CREATE TABLE letters (address text) INHERITS (notes, stars)",
    )

    letters = catalog.find("letters")
    assert letters.parents == (Name(None, "notes"), Name(None, "stars"))
    assert not letters.is_partition
    assert [column.name for column in letters.columns] == ["body", "number", "address"]


def test_domains_and_arrays_are_told_down_to_what_they_are_made_of(postgresql, read):
    catalog = read(
        postgresql,
        "CREATE DOMAIN short AS varchar(80)",
        "CREATE DOMAIN address AS short NOT NULL DEFAULT 'none' CHECK (VALUE <> 'VALUE @')",
        "CREATE DOMAIN addresses AS address[]",
        "CREATE TYPE mood AS ENUM ('well', 'ill')",
        """CREATE TABLE people ("e mail" address, short short DEFAULT 'its own', many address[],
             more addresses, words text[], lines varchar(20)[], mood mood, bag int2vector)""",
    )

    people = catalog.find("people")
    told = {each.name: (each.type, each.base, each.element, each.length) for each in people.columns}
    assert told == {
        "e mail": ("address", "character varying(80)", None, 80),
        "short": ("short", "character varying(80)", None, 80),
        "many": ("address[]", "address[]", "character varying(80)", None),
        "more": ("addresses", "address[]", "character varying(80)", None),
        "words": ("text[]", "text[]", "text", None),
        "lines": (
            "character varying(20)[]",
            "character varying(20)[]",
            "character varying(20)",
            None,
        ),
        "mood": ("mood", "mood", None, None),
        "bag": ("int2vector", "int2vector", "smallint", None),
    }
    assert not people.column("e mail").nullable
    assert people.column("short").nullable
    assert people.column("e mail").default == "'none'::character varying"
    assert people.column("short").default == "'its own'::character varying"
    assert people.column("mood").labels == ("well", "ill")
    assert people.checks == (
        Check("address_check", "((\"e mail\")::text <> 'VALUE @'::text)", ("e mail",)),
    )


def test_generated_and_identity_columns_are_told_from_defaults(postgresql, read):
    catalog = read(
        postgresql,
        """CREATE TABLE people (
             id int GENERATED ALWAYS AS IDENTITY, number int GENERATED BY DEFAULT AS IDENTITY,
             serial serial, name text NOT NULL DEFAULT 'x',
             upper text GENERATED ALWAYS AS (upper(name)) STORED)""",
    )

    people = catalog.find("people")
    assert [each.identity for each in people.columns] == ["ALWAYS", "BY DEFAULT", None, None, None]
    assert people.column("serial").default == "nextval('people_serial_seq'::regclass)"
    assert people.column("name").default == "'x'::text"
    assert people.column("upper").generated == "upper(name)"
    assert people.column("upper").default is None
    assert people.column("name").generated is None
    assert not people.column("name").nullable


def test_unique_keys_of_every_form(postgresql, read):
    catalog = read(
        postgresql,
        """CREATE TABLE people (id int PRIMARY KEY DEFERRABLE, email text, name text, gone date,
             CONSTRAINT both_of_them UNIQUE (name, email) DEFERRABLE INITIALLY DEFERRED)""",
        "CREATE UNIQUE INDEX a ON people (lower(email), name) WHERE gone IS NULL",
        "CREATE UNIQUE INDEX b ON people (email) INCLUDE (name) NULLS NOT DISTINCT",
        "CREATE INDEX c ON people USING hash (email)",
    )

    key, a, b, both, c = catalog.find("people").indexes
    assert catalog.find("people").primary_key == ("id",)
    assert key == Index(
        "people_pkey", (Part("id"),), is_unique=True, is_primary=True, deferrable=True
    )
    assert a == Index(
        "a", (Part(None, "lower(email)"), Part("name")), is_unique=True, condition="(gone IS NULL)"
    )
    assert a.columns is None
    assert b == Index("b", (Part("email"),), is_unique=True, nulls_distinct=False)
    assert both == Index(
        "both_of_them",
        (Part("name"), Part("email")),
        is_unique=True,
        deferrable=True,
        initially_deferred=True,
    )
    assert c == Index("c", (Part("email"),), method="hash")
    assert catalog.find("people").unique_keys == (a, b, both)


def test_collations_that_take_different_text_for_equal(postgresql, read):
    catalog = read(
        postgresql,
        'CREATE COLLATION loose FROM "C"',
        """CREATE TABLE people (email text COLLATE loose UNIQUE, name text COLLATE "C",
             plain text)""",
        "CREATE UNIQUE INDEX by_plain ON people (plain COLLATE loose)",
        # A server that is built without ICU makes none by itself.
        "UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'loose'",
    )

    email, name, plain = catalog.find("people").columns
    assert (email.collation, email.is_deterministic) == ("loose", False)
    assert (name.collation, name.is_deterministic) == ("C", True)
    assert (plain.collation, plain.is_deterministic) == (None, True)
    assert [each.parts for each in catalog.find("people").indexes] == [
        (Part("plain", None, "loose", is_deterministic=False),),
        (Part("email", None, "loose", is_deterministic=False),),
    ]


def test_foreign_keys_with_what_they_do_and_when(postgresql, read):
    catalog = read(
        postgresql,
        "CREATE TABLE people (id int, team int, PRIMARY KEY (team, id), UNIQUE (id))",
        """CREATE TABLE posts (id int PRIMARY KEY, author int, team int, editor int DEFAULT 1,
             parent int REFERENCES posts ON DELETE CASCADE,
             CONSTRAINT whole FOREIGN KEY (author, team) REFERENCES people (id, team) MATCH FULL
               ON UPDATE CASCADE ON DELETE SET NULL (author) DEFERRABLE INITIALLY DEFERRED,
             CONSTRAINT single FOREIGN KEY (editor) REFERENCES people (id)
               ON DELETE SET DEFAULT ON UPDATE RESTRICT DEFERRABLE)""",
    ).find("posts")
    parent, single, whole = catalog.foreign_keys

    assert (parent.target, parent.target_columns) == (Name(None, "posts"), ("id",))
    assert (parent.on_delete, parent.on_update) == ("CASCADE", "NO ACTION")
    assert (single.on_delete, single.on_update) == ("SET DEFAULT", "RESTRICT")
    assert single.set_columns == ("editor",)
    assert (single.deferrable, single.initially_deferred) == (True, False)
    assert whole.columns == ("author", "team")
    assert whole.target_columns == ("id", "team")
    assert (whole.on_delete, whole.set_columns, whole.on_update) == (
        "SET NULL", ("author",), "CASCADE",
    )  # fmt: skip
    assert (whole.match_full, whole.deferrable, whole.initially_deferred) == (True, True, True)
    assert not parent.match_full
    assert all(key.is_checked and key.is_acting for key in catalog.foreign_keys)


@pytest.mark.parametrize(
    ("disabled", "checked", "acting"), [("posts", False, True), ("people", True, False)]
)
def test_disabled_triggers_end_a_check_or_an_action(postgresql, read, disabled, checked, acting):
    """A key can still delete along, although nobody looks any more whether it leads anywhere."""
    catalog = read(
        postgresql,
        "CREATE TABLE people (id int PRIMARY KEY)",
        "CREATE TABLE posts (author int REFERENCES people ON DELETE CASCADE)",
        f"ALTER TABLE {disabled} DISABLE TRIGGER ALL",
    )

    (key,) = catalog.find("posts").foreign_keys
    assert (key.is_checked, key.is_acting) == (checked, acting)


def test_no_key_is_checked_while_the_session_only_applies_changes(postgresql, read):
    catalog = read(
        postgresql,
        "CREATE TABLE people (id int PRIMARY KEY)",
        "CREATE TABLE posts (author int REFERENCES people ON DELETE CASCADE)",
        "SET LOCAL session_replication_role = replica",
    )

    (key,) = catalog.find("posts").foreign_keys
    assert (key.is_checked, key.is_acting) == (False, False)


def test_a_key_to_a_partitioned_table_is_one_key(postgresql, read):
    """PostgreSQL keeps a further constraint for each partition that is referred to."""
    catalog = read(
        postgresql,
        "CREATE TABLE log (id int PRIMARY KEY) PARTITION BY HASH (id)",
        "CREATE TABLE log_1 PARTITION OF log FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        "CREATE TABLE log_2 PARTITION OF log FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        "CREATE TABLE notes (log_id int REFERENCES log, at date) PARTITION BY RANGE (at)",
        "CREATE TABLE notes_1 PARTITION OF notes DEFAULT",
    )

    for name in ("notes", "notes_1"):
        assert [k.target for k in catalog.find(name).foreign_keys] == [Name(None, "log")]
    assert [str(each) for each, _ in catalog.references_to(catalog.find("log"))] == [
        "notes", "notes_1",
    ]  # fmt: skip


def test_checks_and_exclusions_are_text_with_their_columns(postgresql, read):
    catalog = read(
        postgresql,
        """CREATE TABLE stays (room int CHECK (room > 0), during tsrange, gone date,
             CONSTRAINT either CHECK ((gone IS NULL) = (room IS NULL)) NOT VALID,
             CONSTRAINT apart EXCLUDE USING gist (during WITH &&))""",
    )

    stays = catalog.find("stays")
    assert stays.checks == (
        Check("either", "((gone IS NULL) = (room IS NULL))", ("room", "gone")),
        Check("stays_room_check", "(room > 0)", ("room",)),
    )
    assert stays.exclusions == (Check("apart", "EXCLUDE USING gist (during WITH &&)", ("during",)),)
    assert stays.unique_keys == ()


def test_triggers_and_rules_with_their_events(postgresql, read):
    catalog = read(
        postgresql,
        "CREATE TABLE people (id int, email text)",
        "CREATE VIEW open AS SELECT id FROM people",
        """CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN RETURN NULL; END $$""",
        """CREATE TRIGGER a AFTER INSERT OR UPDATE OF email ON people
             FOR EACH ROW EXECUTE FUNCTION nothing()""",
        "CREATE TRIGGER b BEFORE DELETE OR TRUNCATE ON people EXECUTE FUNCTION nothing()",
        "ALTER TABLE people DISABLE TRIGGER b",
        """CREATE CONSTRAINT TRIGGER c AFTER DELETE ON people DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION nothing()""",
        "CREATE TRIGGER d INSTEAD OF DELETE ON open FOR EACH ROW EXECUTE FUNCTION nothing()",
        "CREATE RULE keep AS ON DELETE TO people DO INSTEAD NOTHING",
    )

    assert catalog.find("people").triggers == (
        Trigger("a", "AFTER", ("INSERT", "UPDATE"), "ROW", ("email",)),
        Trigger("b", "BEFORE", ("DELETE", "TRUNCATE"), "STATEMENT", is_enabled=False),
        Trigger("c", "AFTER", ("DELETE",), "ROW", is_deferred=True),
        Trigger("keep", "INSTEAD OF", ("DELETE",), "RULE"),
    )
    assert catalog.find("open").triggers == (Trigger("d", "INSTEAD OF", ("DELETE",), "ROW"),)


@pytest.fixture
def role(postgresql):
    """A role that is nobody in particular, and a connection as this role."""
    with postgresql.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS efface_catalog_reader"))
        connection.execute(text("CREATE ROLE efface_catalog_reader"))
        connection.execute(text("GRANT ALL ON SCHEMA public TO efface_catalog_reader"))
    yield "efface_catalog_reader"
    with postgresql.begin() as connection:
        connection.execute(text("DROP OWNED BY efface_catalog_reader"))
        connection.execute(text("DROP ROLE efface_catalog_reader"))


def test_row_security_is_active_for_some_roles_and_enabled_for_all(postgresql, read, role):
    owner = read(
        postgresql,
        "CREATE TABLE notes (id int)",
        "CREATE TABLE open (id int)",
        "ALTER TABLE notes ENABLE ROW LEVEL SECURITY",
    )
    other = read(postgresql, f"SET LOCAL ROLE {role}")

    notes = owner.find("notes")
    assert (notes.row_security, notes.row_security_active) == (True, False)
    notes = other.find("notes")
    assert (notes.row_security, notes.row_security_active) == (True, True)
    assert not other.find("open").row_security_active


def test_names_are_as_they_are(postgresql, read):
    catalog = read(
        postgresql,
        """CREATE TABLE "Order" ("Kunden Nr" int PRIMARY KEY, "a.b" text, "x""y" int)""",
        """CREATE TABLE "or.der" ("group" int REFERENCES "Order")""",
        """CREATE UNIQUE INDEX "In dex" ON "Order" ("a.b") WHERE "x""y" > 0""",
    )

    order = catalog.find("Order")
    assert [column.name for column in order.columns] == ["Kunden Nr", "a.b", 'x"y']
    assert order.primary_key == ("Kunden Nr",)
    assert order.indexes[1] == Index(
        "In dex", (Part("a.b"),), is_unique=True, condition='("x""y" > 0)'
    )
    assert catalog.find("or.der").foreign_keys[0].target == Name(None, "Order")
    assert catalog.find("order") is None


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
