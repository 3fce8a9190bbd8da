"""What SQLAlchemy's models say of the database."""

import enum

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import CITEXT, DOMAIN

from efface.catalog import Catalog
from efface.catalog.metadata import ENFORCED
from efface.catalog.relation import Check, Kind, Name, Part
from efface.catalog.relation import Index as CatalogIndex


class Mood(enum.Enum):
    WELL = "w"
    ILL = "i"


class Secret(TypeDecorator):
    impl = String
    cache_ok = True


def one(*items, name="people", schema=None):
    metadata = MetaData()
    table = Table(name, metadata, *items, schema=schema)
    return Catalog.of_models(metadata).find_table(table)


def test_columns_are_told_past_the_types_of_the_application():
    relation = one(
        Column("id", Integer, Identity(always=True), primary_key=True),
        Column("secret", Secret(40), nullable=False),
        Column("email", DOMAIN("email", String(80), not_null=True)),
        Column("many", ARRAY(DOMAIN("email", Text()))),
        Column("words", CITEXT, server_default="x"),
        Column("mood", Enum(Mood)),
        Column("upper", Text, Computed("upper(words)")),
        Column("loose", String(collation="NOCASE"), server_default=text("now()")),
        Column("uuid", Uuid),
    )

    told = {c.name: (c.type, c.base, c.element, c.length) for c in relation.columns}
    assert told == {
        "id": ("INTEGER", "INTEGER", None, None),
        "secret": ("VARCHAR(40)", "VARCHAR(40)", None, 40),
        "email": ("email", "VARCHAR(80)", None, 80),
        "many": ("ARRAY", "ARRAY", "TEXT", None),
        "words": ("CITEXT", "CITEXT", None, None),
        "mood": ("VARCHAR(4)", "VARCHAR(4)", None, None),
        "upper": ("TEXT", "TEXT", None, None),
        "loose": ('VARCHAR COLLATE "NOCASE"', 'VARCHAR COLLATE "NOCASE"', None, None),
        "uuid": ("CHAR(32)", "CHAR(32)", None, 32),
    }
    assert [c.name for c in relation.columns if not c.nullable] == ["id", "secret", "email"]
    assert relation.column("id").identity == "ALWAYS"
    assert relation.column("words").default == "x"
    assert relation.column("loose").default == "now()"
    assert relation.column("upper").generated == "upper(words)"
    assert relation.column("mood").labels == ("WELL", "ILL")
    assert relation.column("loose").collation == "NOCASE"
    assert relation.kind is Kind.TABLE


def test_keys_of_every_form():
    relation = one(
        Column("id", Integer, primary_key=True),
        Column("E_MAIL", Text, key="email", unique=True),
        Column("name", Text, index=True),
        Column("gone", Text),
        UniqueConstraint("name", "email", name="both", deferrable=True, initially="DEFERRED"),
        UniqueConstraint("gone", name="one", postgresql_nulls_not_distinct=True),
        Index("a", func.lower(text("name")), unique=True, sqlite_where=text("gone IS NULL")),
    )

    assert relation.primary_key == ("id",)
    found = {str(index.name): index for index in relation.indexes}
    assert relation.indexes[0].is_primary
    assert found["a"] == CatalogIndex(
        "a", (Part(None, "lower(name)"),), is_unique=True, condition="gone IS NULL"
    )
    assert found["both"].columns == ("name", "E_MAIL")
    assert (found["both"].deferrable, found["both"].initially_deferred) == (True, True)
    assert not found["one"].nulls_distinct
    assert found["ix_people_name"] == CatalogIndex("ix_people_name", (Part("name"),))
    assert ("E_MAIL",) in [index.columns for index in relation.unique_keys]


def test_references_also_to_tables_that_the_models_do_not_have():
    metadata = MetaData()
    Table("people", metadata, Column("NUMBER", Integer, key="id", primary_key=True), schema="crm")
    Table(
        "posts",
        metadata,
        Column("a", ForeignKey("crm.people.id", ondelete="cascade", onupdate="SET NULL")),
        Column("b", ForeignKey("elsewhere.users.key", match="FULL", deferrable=True)),
        Column("c", Integer),
        Column("d", Integer),
        ForeignKeyConstraint(["c", "d"], ["pairs.x", "pairs.y"], ondelete="SET NULL (c)"),
        ForeignKeyConstraint(["d"], ["crm.people.id"], info={ENFORCED: False}),
    )

    catalog = Catalog.of_models(metadata)

    a, b, both, d = catalog.find("posts").foreign_keys
    assert (a.target, a.target_columns) == (Name("crm", "people"), ("NUMBER",))
    assert (a.on_delete, a.on_update, a.is_checked) == ("CASCADE", "SET NULL", True)
    assert (b.target, b.target_columns) == (Name("elsewhere", "users"), ("key",))
    assert (b.match_full, b.deferrable, b.on_delete) == (True, True, "NO ACTION")
    assert (both.columns, both.target) == (("c", "d"), Name(None, "pairs"))
    assert (both.on_delete, both.set_columns) == ("SET NULL", ("c",))
    assert (d.is_checked, d.is_acting) == (False, False)
    assert [key for _, key in catalog.references_to(catalog.find("people", "crm"))] == [a, d]


def test_checks_without_those_that_only_some_databases_make():
    relation = one(
        Column("mode", Integer),
        Column("flag", Boolean(create_constraint=True)),
        Column("native", Enum(Mood, create_constraint=True)),
        Column("mood", Enum(Mood, native_enum=False, create_constraint=True, name="moody")),
        CheckConstraint("mode > 0 OR 'flag' = ''", name="some"),
    )

    assert relation.checks == (
        Check("moody", "mood IN ('WELL', 'ILL')", ("mood",)),
        Check("some", "mode > 0 OR 'flag' = ''", ("mode",)),
    )


def test_two_readings_of_the_same_models_are_equal():
    metadata = MetaData()
    Table("people", metadata, Column("id", Integer, primary_key=True), schema="crm")

    catalog = Catalog.of_models(metadata)

    assert catalog == Catalog.of_models(metadata)
    assert hash(catalog) == hash(Catalog.of_models(metadata))
    assert str(catalog.find("people", "crm")) == "crm.people"
    assert catalog.find("people") is None
