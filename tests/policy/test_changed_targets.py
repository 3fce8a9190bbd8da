"""Foreign keys to a value that closures change: an address, a login, the slug of a post."""

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, Text, select, text
from sqlalchemy.sql.ddl import CreateTable

from efface import (
    Basis,
    Clear,
    Delete,
    Placeholder,
    Policy,
    Redact,
    Retain,
    Revoke,
    Unlink,
    no_personal_data,
    not_personal,
    on_close,
    personal,
)
from efface.catalog.metadata import ENFORCED
from efface.errors import ConstraintError
from efface.policy.check import check
from efface.policy.schema_drift import compare
from tests.eraser.real_databases import ADA, GRACE, add, close, created, users

LAW = Retain("P10Y", basis=Basis.LEGAL_OBLIGATION, reason="tax law")


def orders(*items, marks=(), nullable=True, **key):
    """Users, and orders that refer to their addresses."""
    metadata = MetaData()
    users(metadata)
    Table(
        "orders",
        metadata,
        Column("id", Integer, primary_key=True),
        Column(
            "email", Text, ForeignKey("users.email", **key), *marks, nullable=nullable, index=True
        ),
        Column("note", Text, not_personal()),
        *items,
    )
    return metadata


def said(metadata):
    return [(p.code, p.place) for p in check(Policy.from_metadata(metadata))]


REFUSED = [
    ([on_close(Redact(), via="email")], {}),
    ([on_close(LAW, via="email")], {}),
    ([no_personal_data(reason="numbers of parcels")], {}),
    ([on_close(Redact(), via="email")], {"onupdate": "RESTRICT"}),
    ([on_close(Redact(), via="email")], {"onupdate": "SET NULL", "nullable": False}),
]
SAFE = [
    ([on_close(Redact(), via="email")], {"onupdate": "CASCADE"}),
    ([on_close(Redact(), via="email")], {"onupdate": "SET NULL"}),
    ([on_close(Redact(), via="email")], {"marks": [personal(Unlink())]}),
    ([on_close(Delete(), via="email")], {}),
    ([on_close(Revoke(), via="email")], {}),
    ([no_personal_data(reason="numbers of parcels")], {"onupdate": "CASCADE"}),
]


def left(database, there, known):
    """Close Ada's account where she and Grace have an order; return how it went."""
    eraser = created(known, database)
    there.create_all(database)
    add(database, there.tables["users"], {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    rows = [{"id": 1, "email": ADA}, {"id": 2, "email": GRACE}]
    add(database, there.tables["orders"], *rows)
    try:
        close(database, eraser)
    except ConstraintError:
        return "refused"
    with database.connect() as connection:
        orders_ = there.tables["orders"]
        assert connection.scalar(select(orders_.c.email).where(orders_.c.id == 2)) == GRACE
    return "closed"


def without_orders(metadata):
    metadata.remove(metadata.tables["orders"])
    return metadata


@pytest.mark.parametrize(("items", "options"), REFUSED)
def test_what_refers_to_an_old_value_stops_a_closure(database, items, options):
    metadata = orders(*items, **options)
    (problem,) = check(Policy.from_metadata(metadata))

    assert (problem.code, problem.place) == ("E103", "orders.email")
    assert "email refers to users.email, which closures change" in problem.text
    assert problem.paste == ("" if "nullable" in options else "personal(Unlink())")
    # The database refuses it for certain: a policy that knows nothing of the orders is stopped.
    metadata.create_all(database)
    unknown = Policy.from_metadata(without_orders(orders(*items, **options)))
    (found,) = compare(unknown, database)
    assert (found.code, found.place) == ("E103", "orders.email")
    assert found.text.startswith("No model has this table. email refers to users.email")


@pytest.mark.parametrize(("items", "options"), SAFE)
def test_what_follows_or_lets_go_is_safe(database, items, options):
    metadata = orders(*items, **options)

    assert [code for code, _ in said(metadata) if code != "W101"] == []
    assert left(database, metadata, metadata) == "closed"


def test_a_key_that_only_the_database_has_is_named(database):
    """It has no ON UPDATE there, whatever the model says."""
    known = orders(on_close(Redact(), via="email"), onupdate="CASCADE")
    there = orders(on_close(Redact(), via="email"))
    there.create_all(database)

    found = compare(Policy.from_metadata(known), database)

    assert [(p.code, p.place, p.level) for p in found] == [("E103", "orders.email", "error")]
    assert left(database, there, known) == "refused"


def test_without_a_constraint_it_is_a_warning():
    metadata = orders(on_close(Redact(), via="email"))
    for key in metadata.tables["orders"].foreign_key_constraints:
        key.info[ENFORCED] = False

    (problem,) = check(Policy.from_metadata(metadata))

    assert (problem.code, problem.level) == ("W103", "warning")
    assert "these rows keep the old value" in problem.text


def test_a_rule_for_the_column_makes_it_a_warning():
    metadata = orders(no_personal_data(reason="parcels"), marks=[not_personal()])

    assert said(metadata) == [("W103", "orders.email")]


def test_a_user_who_refers_to_another_by_address_is_named():
    metadata = MetaData()
    users(metadata, Column("invited_by", ForeignKey("users.email")))

    assert ("E103", "users.invited_by") in said(metadata)


@pytest.mark.parametrize(
    ("marks", "action", "code"),
    [
        ([], Placeholder(), "E103"),
        ([on_close(Redact(), via="slug")], Placeholder(), "E103"),
        ([on_close(Delete(), via="slug")], Placeholder(), None),
        ([], Clear(), "E103"),
    ],
)
def test_rows_below_rows_of_a_user_are_asked_as_well(marks, action, code):
    """A slug names the author, and comments refer to it."""
    metadata = MetaData()
    users(metadata)
    Table(
        "posts",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), index=True),
        Column("slug", String(80), personal(action), unique=True),
        on_close(Redact(), via="user_id"),
    )
    Table(
        "comments",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("slug", ForeignKey("posts.slug"), index=True),
        *(marks or [no_personal_data(reason="votes")]),
    )

    assert said(metadata) == ([(code, "comments.slug")] if code else [])


def test_null_does_not_follow_into_a_column_that_refuses_it():
    metadata = MetaData()
    users(metadata, Column("login", String(20), personal(Clear()), unique=True))
    key = ForeignKey("users.login", onupdate="CASCADE")
    Table(
        "visits",
        metadata,
        Column("login", String(20), key, nullable=False, index=True),
        on_close(Redact(), via="login"),
    )

    assert said(metadata) == [("E103", "visits.login")]


@pytest.mark.postgresql
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_partitions_are_named_once(database):
    known = orders(on_close(Redact(), via="email"), onupdate="CASCADE")
    known.create_all(database)
    with database.begin() as connection:
        sql = str(CreateTable(orders(on_close(Redact(), via="email")).tables["orders"]))
        connection.execute(text("DROP TABLE orders"))
        connection.execute(text(f"{sql} PARTITION BY RANGE (id)"))
        connection.execute(text("CREATE TABLE o1 PARTITION OF orders DEFAULT"))

    found = compare(Policy.from_metadata(known), database)

    assert [p.place for p in found if p.code == "E103"] == ["orders.email"]
