"""Unique keys of several columns, with a condition, of expressions: what closures leave in them."""

from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.exc import IntegrityError

from efface import (
    Clear,
    Delete,
    Eraser,
    Generalize,
    Placeholder,
    Policy,
    Redact,
    Replace,
    ReplaceMentions,
    data_subject,
    not_personal,
    on_close,
    personal,
)
from efface.errors import ConstraintError
from efface.policy.check import check
from efface.policy.schema_drift import compare

KEY = "a key for tests, long enough"


@dataclass(frozen=True)
class Key:
    """A unique index: what it compares, and in which rows."""

    parts: tuple[str, ...]
    condition: str | None = None
    nulls_distinct: bool = True

    def index(self):
        where = None if self.condition is None else text(self.condition)
        named = {f"{name}_where": where for name in ("sqlite", "postgresql") if where is not None}
        if not self.nulls_distinct:
            named["postgresql_nulls_not_distinct"] = True
        parts = [part if part in COLUMNS else text(part) for part in self.parts]
        return Index("the_key", *parts, unique=True, **named)


COLUMNS = {
    "id": (),
    "nick": (personal(Replace("gone")),),
    "phone": (personal(Clear()),),
    "login": (personal(Placeholder()),),
    "team": (not_personal(),),
    "active": (personal(Replace(value=False)),),
    "admin": (not_personal(),),
    "deleted_at": (),
}
TYPES = {"id": Integer, "team": Integer, "active": Boolean, "admin": Boolean}


def people(*keys, **options):
    """Users with these keys."""
    metadata = MetaData()
    columns = [
        Column(name, TYPES.get(name, String(80)), *rules, primary_key=name == "id")
        for name, rules in COLUMNS.items()
        if name != "deleted_at"
    ]
    gone = Column("deleted_at", DateTime(timezone=True))
    Table("users", metadata, *columns, gone, *keys, data_subject(**options))
    return metadata


def rows():
    return [
        {"id": n, "nick": f"n{n}", "phone": f"p{n}", "login": f"l{n}", "team": 1}
        | {"active": True, "admin": False}
        for n in (1, 2)
    ]


def said(metadata):
    return [(p.code, p.place) for p in check(Policy.from_metadata(metadata))]


def in_database(engine, key):
    """What is said of a key that only the database has, and whether it refuses a closure.

    It closes two accounts that are alike in all that stays.
    """
    policy, there = Policy.from_metadata(people()), people(key.index())
    eraser = Eraser(policy, secret=KEY)
    there.create_all(engine)
    eraser.create_tables(engine)
    with engine.begin() as connection:
        connection.execute(there.tables["users"].insert(), rows())
    problems = compare(policy, engine, own=["efface_closings"])
    assert all("The database differs from the model" in problem.text for problem in problems)
    try:
        for number in (1, 2):
            with engine.begin() as connection:
                eraser.close_account(connection, number, actor="test")
    except ConstraintError:
        return [p.code for p in problems], True
    return [p.code for p in problems], False


COLLIDING = [
    Key(("nick",), "admin IS FALSE"),
    Key(("nick",), "nick IS NOT NULL"),
    Key(("nick",), "deleted_at IS NOT NULL"),
    Key(("nick",), "active IS FALSE"),
    Key(("team", "nick")),
    Key(("admin", "nick")),
    Key(("nick", "active")),
    Key(("lower(nick)",)),
    Key(("lower(nick)",), "nick IS NOT NULL"),
    Key(("coalesce(phone, '-')",)),
    Key(("team", "coalesce(phone, '-')")),
    Key(("substr(login, 1, 3)",)),
    Key(("nick",), "phone IS NULL AND admin IS FALSE"),
]
HARMLESS = [
    Key(("nick",), "deleted_at IS NULL"),
    Key(("nick",), "deleted_at IS NULL AND admin IS FALSE"),
    Key(("nick",), "active"),
    Key(("nick",), "phone IS NOT NULL"),
    Key(("team", "login")),
    Key(("nick", "login")),
    Key(("nick", "id")),
    Key(("team", "phone")),
    Key(("phone", "nick")),
    Key(("lower(login)",)),
    Key(("lower(phone)",)),
    Key(("lower(nick)", "id")),
    Key(("team", "id"), "deleted_at IS NOT NULL"),
]


@pytest.mark.parametrize("key", COLLIDING, ids=str)
def test_a_key_that_closures_make_equal_is_an_error(sqlite, key):
    ((code, place),) = said(people(key.index()))

    assert code == "E103"
    assert place in ("users.nick", "users.phone", "users.login")
    assert in_database(sqlite, key) == (["E103"], True)


@pytest.mark.parametrize("key", HARMLESS, ids=str)
def test_a_key_that_stays_unique_is_none(sqlite, key):
    assert said(people(key.index())) == []
    assert in_database(sqlite, key) == ([], False)


@pytest.mark.parametrize(
    "key",
    [
        Key(("nick", "deleted_at")),
        Key(("unheard_of(nick)",)),
        Key(("coalesce(nick, team)",)),
        Key(("nick",), "unheard_of(active)"),
        Key(("team",), "deleted_at IS NOT NULL"),
    ],
    ids=str,
)
def test_what_nobody_can_know_is_a_warning(key):
    ((code, place),) = said(people(key.index()))

    assert code == "W105"
    assert place.startswith("users.")


@pytest.mark.postgresql
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("parts", [("phone",), ("team", "phone")], ids=str)
def test_null_collides_if_the_key_says_so(database, parts):
    key = Key(parts, nulls_distinct=False)

    assert said(people(key.index())) == [("E103", "users.phone")]
    assert in_database(database, key) == (["E103"], True)


def test_a_unique_constraint_can_say_so_as_well():
    key = UniqueConstraint("phone", postgresql_nulls_not_distinct=True)

    (problem,) = check(Policy.from_metadata(people(key)))

    assert problem.paste == "personal(Placeholder())"


PARTS = [*COLUMNS, "lower(nick)", "coalesce(phone, '-')", "lower(login)", "substr(login, 1, 3)"]
CONDITIONS = [
    None,
    "deleted_at IS NULL",
    "deleted_at IS NOT NULL",
    "active",
    "admin IS FALSE",
    "admin IS FALSE AND active IS FALSE",
    "phone IS NULL OR team > 3",
    "team = 1 AND nick = 'gone'",
]


@pytest.mark.slow
@settings(
    deadline=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=3, unique=True),
    condition=st.sampled_from(CONDITIONS),
    nulls_distinct=st.booleans(),
)
def test_what_is_not_reported_is_not_refused(database, parts, condition, nulls_distinct):
    is_said = nulls_distinct or database.dialect.name == "sqlite"
    key, codes, is_refused = Key(tuple(parts), condition, nulls_distinct=is_said), None, None
    try:
        with suppress(IntegrityError):
            codes, is_refused = in_database(database, key)
        # Some keys refuse the two from the beginning.
        assume(codes is not None)

        assert is_refused <= bool(codes)
        # The two are alike in what stays, so that a certain collision happens.
        assert ("E103" in codes) <= is_refused
    finally:
        with database.begin() as connection:
            for name in ("users", "efface_closings"):
                connection.execute(text(f"DROP TABLE IF EXISTS {name}"))


# ---------------------------------------------------------------- rows of other tables


def notes(*items):
    """Users, and notes that stay without their values."""
    metadata = MetaData()
    gone = Column("deleted_at", DateTime(timezone=True))
    Table("users", metadata, Column("id", Integer, primary_key=True), gone, data_subject())
    Table(
        "notes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), index=True),
        *items,
        on_close(Redact(), via="user_id"),
    )
    return metadata


def title(action, **options):
    return Column("title", String(80), personal(action), **options)


def test_two_rows_of_one_user_would_be_the_same():
    metadata = notes(title(Replace("...")), UniqueConstraint("user_id", "title"))

    (problem,) = check(Policy.from_metadata(metadata))

    assert (problem.code, problem.place) == ("E103", "notes.title")
    assert "two rows would have the same values in the unique key of user_id, title" in problem.text
    assert problem.paste == "personal(Placeholder())"
    assert said(notes(title(Placeholder()), UniqueConstraint("user_id", "title"))) == []


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([title(Replace("")), UniqueConstraint("id", "title")], []),
        ([title(Replace(""), primary_key=True)], ["E103"]),
        ([title(Clear()), UniqueConstraint("user_id", "title")], []),
        ([title(ReplaceMentions("x"), unique=True)], ["W105"]),
        (
            [Column("day", Date, personal(Generalize("year"))), UniqueConstraint("user_id", "day")],
            ["W105"],
        ),
        (
            [
                title(Replace("")),
                Column("at", DateTime, not_personal()),
                UniqueConstraint("at", "title"),
            ],
            ["W105"],
        ),
        (
            [
                title(Replace("")),
                Column("kind", String, not_personal()),
                UniqueConstraint("kind", "title"),
            ],
            ["E103"],
        ),
        (
            [
                title(Replace("")),
                Column("low", String, Computed("lower(title)"), not_personal()),
                UniqueConstraint("low"),
            ],
            ["E103"],
        ),
    ],
)
def test_columns_that_stay_tell_rows_apart_or_do_not(items, expected):
    assert [code for code, _ in said(notes(*items))] == expected


def test_rows_that_are_deleted_leave_no_value():
    metadata = notes(title(Replace("")), UniqueConstraint("user_id", "title"))
    metadata.tables["notes"].info.clear()
    on_close(Delete(), via="user_id")._set_parent_with_dispatch(metadata.tables["notes"])

    assert said(metadata) == []


def test_a_value_is_fixed_only_for_the_users_that_have_a_rule():
    """The recipient's closure clears the subject, the sender's doesn't."""
    metadata = notes(
        Column("to_id", ForeignKey("users.id"), index=True),
        title(Replace("")),
        UniqueConstraint("user_id", "title"),
        on_close(Redact(), via="to_id"),
    )
    metadata.tables["notes"].c.title.info.clear()
    personal(Replace(""), via="to_id")._set_parent_with_dispatch(metadata.tables["notes"].c.title)

    (problem,) = check(Policy.from_metadata(metadata))

    assert problem.paste == "personal(Placeholder(), via='to_id')"


def test_an_expression_of_sqlalchemy_is_read_as_text():
    metadata = people()
    users = metadata.tables["users"]
    Index("folded", func.lower(users.c.nick), users.c.team, unique=True)

    assert said(metadata) == [("E103", "users.nick")]
