"""The live schema against the models: what is missing, unknown, or impossible only there."""

import enum
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Uuid,
    create_engine,
    text,
)

from efface import (
    Clear,
    Delete,
    Placeholder,
    Policy,
    Replace,
    data_subject,
    on_close,
    personal,
)
from efface.policy.check import check
from efface.policy.schema_drift import compare
from tests.support.schemas import forum


@pytest.fixture
def engine(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'forum.db'}")
    forum.create(engine)
    yield engine
    engine.dispose()


def changed(engine, *statements):
    """What `compare` says after these statements, as (code, place, level)."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    policy = Policy.from_metadata(forum.Base.metadata)
    return [(p.code, p.place, p.level) for p in compare(policy, engine, own=["efface_closings"])]


def replaced(engine, table, old, new):
    """Put *table* up again with a part of its definition replaced."""
    with engine.connect() as connection:
        sql = connection.scalar(
            text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name"),
            {"name": table},
        )
    assert old in sql
    return f"DROP TABLE {table}", sql.replace(old, new)


def test_a_database_made_from_the_models_is_no_drift(engine):
    assert changed(engine) == []


def test_the_same_is_found_in_a_connection(engine):
    policy = Policy.from_metadata(forum.Base.metadata)

    with engine.connect() as connection:
        assert compare(policy, connection, own=["efface_closings"]) == ()


def test_tables_of_one_side_only_are_named(engine):
    found = changed(
        engine,
        "DROP TABLE newsletter",
        "CREATE TABLE visitors (ip TEXT)",
        "CREATE TABLE alembic_version (version_num TEXT)",
    )

    assert found == [("E108", "newsletter", "error"), ("E108", "visitors", "error")]


def test_columns_of_one_side_only_are_named(engine):
    found = changed(
        engine,
        "ALTER TABLE users DROP COLUMN bio",
        "ALTER TABLE users ADD COLUMN phone TEXT",
        "ALTER TABLE users_tokens ADD COLUMN agent TEXT",
    )

    assert found == [
        ("E108", "users.bio", "error"),
        ("E108", "users.phone", "error"),
        ("E108", "users_tokens.agent", "warning"),
    ]


def test_a_missing_tombstone_comes_with_the_migration(engine):
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE users DROP COLUMN deleted_at"))

    problems = compare(forum.eraser().policy, engine, own=["efface_closings"])

    assert [p.place for p in problems] == ["users.deleted_at"]
    assert problems[0].paste.startswith('op.add_deleted_at("users")')


GONE = "deleted_at DATETIME"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("name VARCHAR(80)", "name VARCHAR(80) NOT NULL", ("E103", "users.name")),
        ("email VARCHAR(160)", "email VARCHAR(20)", ("E103", "users.email")),
        ("bio TEXT", "bio TEXT CHECK (bio <> '')", ("E103", "users.bio")),
        (GONE, f"{GONE} NOT NULL", ("E105", "users.deleted_at")),
    ],
)
def test_what_the_database_alone_makes_impossible_is_a_problem(engine, old, new, found):
    problems = changed(engine, *replaced(engine, "users", old, new))

    assert [(code, place) for code, place, _ in problems] == [found]


def test_a_link_whose_index_is_missing_in_the_database_is_a_warning(engine):
    assert changed(engine, "DROP INDEX ix_posts_author_id") == [
        ("W102", "posts.author_id", "warning")
    ]


ORDER_OF = "FOREIGN KEY(user_id) REFERENCES users (id)"


@pytest.mark.parametrize(
    ("new", "there", "level"),
    [
        ("FOREIGN KEY(user_id) REFERENCES categories (id)", "categories.id", "error"),
        ("FOREIGN KEY(user_id) REFERENCES users (email)", "users.email", "error"),
        ("UNIQUE (id)", "nothing", "warning"),
    ],
)
def test_a_reference_that_leads_elsewhere_in_the_database_is_named(engine, new, there, level):
    with engine.begin() as connection:
        for statement in replaced(engine, "orders", ORDER_OF, new):
            connection.execute(text(statement))
        connection.execute(text("CREATE INDEX ix_orders_user_id ON orders (user_id)"))

    (problem,) = compare(forum.eraser().policy, engine, own=["efface_closings"])

    assert (problem.code, problem.place, problem.level) == ("E108", "orders.user_id", level)
    assert f"refers to {there}. In the model, it refers to users.id." in problem.text


def test_a_reference_that_only_the_database_knows_is_a_warning(engine):
    title = "title VARCHAR(120)"
    again = replaced(engine, "posts", title, f"{title} REFERENCES users (email)")

    found = changed(engine, *again, "CREATE INDEX ix_posts_author_id ON posts (author_id)")

    assert found == [("E108", "posts.title", "warning")]


def test_what_the_models_lack_themselves_is_not_reported_again(engine):
    """Those problems are `check`'s, and stand in its report already."""
    metadata = MetaData()
    key, gone = Column("id", Integer, primary_key=True), Column("deleted_at", DateTime)
    undecided = Column("phone", String(20))
    Table("members", metadata, key, gone, undecided, data_subject())
    metadata.create_all(engine)
    policy = Policy.from_metadata(metadata)

    problems = compare(policy, engine, own=["efface_closings", *forum.Base.metadata.tables])

    assert [p.place for p in check(policy)] == ["members.phone"]
    assert problems == ()


# ---------------------------------------------------------------- every database


class Kind(enum.Enum):
    """What a note can be."""

    OPEN = "open"
    GONE = "gone"


def every_type():
    """People with a column of each kind that databases tell differently from models."""
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("deleted_at", DateTime(timezone=True)),
        Column("email", String(80), personal(Placeholder.email()), nullable=False),
        Column("token", Uuid, personal(Replace(UUID(int=0)))),
        Column("kind", Enum(Kind), personal(Replace(Kind.GONE)), nullable=False),
        Column("state", String(8), personal(Replace("gone"))),
        Column("extra", JSON, personal(Replace({})), nullable=False),
        Column("wanted", Boolean, personal(Replace(False)), nullable=False),
        Column("born", Date, personal(Clear())),
        Column("worth", Numeric(8, 2), personal(Replace(Decimal(0)))),
        CheckConstraint("state IN ('open', 'gone')", name="state"),
        Index("ix_people_lower", text("lower(email)"), unique=True),
        data_subject(),
    )
    notes = Column("person_id", ForeignKey("people.id"), index=True)
    Table("notes", metadata, notes, on_close(Delete(), via="person_id"))
    return metadata


def test_no_type_and_no_constraint_is_taken_for_drift(database):
    metadata = every_type()
    metadata.create_all(database)
    policy = Policy.from_metadata(metadata)

    assert check(policy) == ()
    assert compare(policy, database) == ()


@pytest.mark.postgresql
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("people ALTER born SET NOT NULL", ("E103", "people.born")),
        ("people ALTER email TYPE varchar(20)", ("E103", "people.email")),
        ("people ALTER deleted_at SET NOT NULL", ("E105", "people.deleted_at")),
        ("people ADD CHECK (worth > 0)", ("E103", "people.worth")),
        ("people DROP CONSTRAINT state, ADD CHECK (state IN ('open'))", ("E103", "people.state")),
        ("people ADD UNIQUE (state)", ("E103", "people.state")),
        ("notes ADD person_name text", ("E108", "notes.person_name")),
    ],
)
def test_what_postgresql_tells_is_compared(database, change, found):
    metadata = every_type()
    metadata.create_all(database)
    with database.begin() as connection:
        connection.execute(text(f"ALTER TABLE {change}"))

    problems = compare(Policy.from_metadata(metadata), database)

    assert [(p.code, p.place) for p in problems] == [found]


@pytest.mark.postgresql
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_tables_of_another_schema_are_compared_there(database):
    metadata = MetaData(schema="club")
    key, gone = Column("id", Integer, primary_key=True), Column("deleted_at", DateTime)
    Table("people", metadata, key, gone, data_subject())
    with database.begin() as connection:
        connection.execute(text("CREATE SCHEMA club"))
        metadata.create_all(connection)
        connection.execute(text("CREATE TABLE club.visitors (ip text)"))
        connection.execute(text("CREATE TABLE public.others (ip text)"))

    try:
        problems = compare(Policy.from_metadata(metadata), database)
    finally:
        with database.begin() as connection:
            connection.execute(text("DROP SCHEMA club CASCADE"))

    assert [(p.code, p.place) for p in problems] == [("E108", "club.visitors")]
