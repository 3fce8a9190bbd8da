"""What an action writes must be something the column takes: type, length, null, uniqueness."""

import enum
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)

from efface import Clear, Placeholder, Policy, Replace, ReplaceMentions, data_subject, personal
from efface.policy.actions import Generalize, Unlink
from efface.policy.check import check

ENDLESS = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT max(i) FROM n)"


class Status(enum.Enum):
    """What an account can be."""

    OPEN = "open"
    GONE = "gone"


def said(*items):
    """What `check` says about a table of people with these columns and constraints."""
    metadata = MetaData()
    key = Column("id", Integer, primary_key=True)
    gone = Column("deleted_at", DateTime(timezone=True))
    Table("people", metadata, key, gone, *items, data_subject())
    found = check(Policy.from_metadata(metadata))
    assert all(p.code == "E103" and p.level == "error" for p in found)
    return [(p.place, p.text) for p in found]


def column(type_, action, **options):
    return Column("a", type_, personal(action), **options)


# ---------------------------------------------------------------- the value itself


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (String(5), "12345"),
        (Integer, 0),
        (Float, 0),
        (Numeric, 1.5),
        (Numeric, Decimal(0)),
        (Boolean, False),
        (Date, date(1900, 1, 1)),
        (Uuid(as_uuid=False), "x"),
        (Enum(Status), Status.GONE),
        (Enum(Status), "GONE"),
        (Enum("open", "gone"), "gone"),
        (JSON, {"a": None}),
        (JSON, None),
        (String, None),
    ],
)
def test_a_replacement_of_the_columns_type_is_possible(type_, value):
    assert said(column(type_, Replace(value))) == []


@pytest.mark.parametrize(
    ("type_", "value", "says"),
    [
        (String(5), "123456", "room for 5 characters"),
        (String, 0, "holds values of type str"),
        (Integer, "0", "holds values of type int"),
        (Integer, True, "holds values of type int"),
        (Boolean, 0, "holds values of type bool"),
        (Date, "1900-01-01", "holds values of type date"),
        (Uuid, "x", "holds values of type UUID"),
        (Enum(Status), "gone", "only these values: OPEN, GONE"),
        (Enum("open", "gone"), "deleted", "only these values: open, gone"),
    ],
)
def test_a_replacement_of_another_type_is_impossible(type_, value, says):
    ((place, text),) = said(column(type_, Replace(value)))

    assert place == "people.a"
    assert says in text


def test_a_replacement_by_null_needs_a_column_that_accepts_it():
    ((_, text),) = said(column(String, Replace(None), nullable=False))

    assert "does not accept NULL" in text


@pytest.mark.parametrize(
    "items",
    [
        [column(String, Replace(""), unique=True)],
        [column(String, Replace("")), UniqueConstraint("a")],
        [column(String, Replace("")), Index("i", "a", unique=True)],
    ],
)
def test_two_people_cannot_both_have_the_same_value_in_a_unique_column(items):
    ((_, text),) = said(*items)

    assert "only one closed account could have this value" in text


def test_the_line_to_paste_is_possible_itself():
    metadata = MetaData()
    key = Column("id", Integer, primary_key=True)
    gone = Column("deleted_at", DateTime(timezone=True))
    impossible = column(Enum("open", "gone"), Clear(), nullable=False)
    Table("people", metadata, key, gone, impossible, data_subject())

    (problem,) = check(Policy.from_metadata(metadata))

    assert problem.paste == 'personal(Replace("open"))'
    assert said(column(Enum("open", "gone"), Replace("open"), nullable=False)) == []


@pytest.mark.parametrize("options", [{"nullable": False}, {"primary_key": True}])
def test_a_reference_that_is_required_cannot_be_unlinked(options):
    ((_, text),) = said(column(Integer, Unlink(), **options))

    assert "can't be unlinked" in text
    assert said(column(Integer, Unlink())) == []


@pytest.mark.parametrize(
    ("type_", "to"),
    [(Date, "year"), (DateTime, "month"), (String(40), "/24"), (String(8), 2), (String, 0)],
)
def test_a_value_can_become_coarser_in_its_own_way(type_, to):
    assert said(column(type_, Generalize(to))) == []


@pytest.mark.parametrize(
    ("type_", "to", "says"),
    [
        (String, "year", "does not hold dates"),
        (Integer, "month", "does not hold dates"),
        (Integer, 2, "does not hold text"),
        (String, "/33", "Generalize takes"),
        (String, "/x", "Generalize takes"),
        (String, "24", "Generalize takes"),
        (Date, "decade", "Generalize takes"),
        (String, -1, "Generalize takes"),
    ],
)
def test_a_value_cannot_become_coarser_in_the_way_of_others(type_, to, says):
    ((_, text),) = said(column(type_, Generalize(to)))

    assert says in text


# ---------------------------------------------------------------- CHECK constraints


@pytest.mark.parametrize(
    ("action", "constraint"),
    [
        (Replace("gone"), "a IN ('open', 'closed')"),
        (Replace("gone"), "a::text = ANY (ARRAY['open'::character varying, 'closed']::text[])"),
        (Replace(""), "a <> ''"),
        (Replace("id"), "a <> 'id'"),
        (Replace("ab"), "char_length(a) > 2"),
        (Replace("ab"), "\"A\" LIKE '%@%'"),
        (Replace("A"), "a = lower(a)"),
        (Replace(0), "a BETWEEN 1 AND 3"),
        (Replace(Decimal(0)), "a > (0)::numeric"),
        (Clear(), "a IS NOT NULL"),
        (Placeholder(prefix="x", suffix=""), "a LIKE '%@%'"),
        (Placeholder(), "length(a) < 10"),
        (Clear(), "deleted_at IS NULL OR a IS NOT NULL"),
        (Clear(), "(deleted_at IS NULL) <> (a IS NULL)  AND deleted_at IS NULL"),
    ],
)
def test_a_value_that_a_check_constraint_refuses_is_impossible(action, constraint):
    type_ = {int: Integer, Decimal: Numeric}.get(type(getattr(action, "value", "")), String)

    ((place, text),) = said(column(type_, action), CheckConstraint(constraint))

    assert place == "people.a"
    assert "CHECK" in text


@pytest.mark.parametrize(
    ("action", "constraint"),
    [
        (Replace("open"), "a IN ('open', 'closed')"),
        (Clear(), "a IN ('open', 'closed')"),
        (Placeholder.email(), "a LIKE '%@%'"),
        (ReplaceMentions("x"), "a = 'y'"),
        (Clear(), "a ~ '^[a-z]+$' AND a IS NOT NULL"),
        (Clear(), "unheard_of(a) AND a IS NOT NULL"),
        (Clear(), "b IN ('a IS NOT NULL')"),
        (Clear(), "deleted_at IS NOT NULL OR a IS NOT NULL"),
        (Replace("x"), f"a = {ENDLESS}"),
    ],
)
def test_what_a_check_constraint_may_accept_is_left_to_the_database(action, constraint):
    """A pattern SQLite does not know, a column nobody decided, a query without end."""
    other = Column("b", String, info={})
    key = Column("id", Integer, primary_key=True)
    gone = Column("deleted_at", DateTime(timezone=True))
    metadata = MetaData()
    marker = data_subject(not_personal=["b"])
    items = [column(String, action), other, CheckConstraint(constraint), marker]
    Table("people", metadata, key, gone, *items)

    assert check(Policy.from_metadata(metadata)) == ()


@pytest.mark.parametrize(
    ("action", "constraint", "is_risky"),
    [
        (Clear(), "a IS NOT NULL OR b IS NOT NULL", True),
        (Clear(), "a IS NOT NULL OR \"b\" = 'x'", True),
        (Clear(), "b IN ('x', 'y') AND (b = 'x' OR a IS NOT NULL)", True),
        (Clear(), "num_nonnulls(a, b) = 1", True),
        (Replace("gone"), "length(a) < length(b)", True),
        (Clear(), "deleted_at IS NULL OR b IS NULL", True),
        (Replace("gone"), "a IN ('gone', 'open') AND b IN ('x', 'y')", False),
        (Clear(), "a IS NULL OR b IS NOT NULL", False),
        (Clear(), "deleted_at IS NOT NULL OR b = 'x' OR a IS NOT NULL", False),
    ],
)
def test_a_check_that_also_reads_a_value_that_stays_is_a_warning(action, constraint, is_risky):
    items = [column(String, action), Column("b", String), CheckConstraint(constraint, name="both")]
    metadata = MetaData()
    key = Column("id", Integer, primary_key=True)
    gone = Column("deleted_at", DateTime(timezone=True))
    Table("people", metadata, key, gone, *items, data_subject(not_personal=["b"]))

    found = check(Policy.from_metadata(metadata))

    assert [(p.code, p.level) for p in found] == [("W106", "warning")] * is_risky
    assert all("The CHECK constraint both reads" in p.text for p in found)


def test_a_check_that_no_closed_account_fulfills_is_named():
    ((place, text),) = said(CheckConstraint("deleted_at IS NULL", name="only_open"))

    assert place == "people.deleted_at"
    assert "The CHECK constraint only_open refuses the new value of deleted_at" in text


@pytest.mark.parametrize("native", [True, False])
def test_a_value_of_an_enum_is_compared_as_the_database_has_it(native):
    values = Enum(Status, values_callable=lambda c: [m.value for m in c], native_enum=native)

    assert said(column(values, Replace(Status.GONE)), CheckConstraint("a IN ('gone', 'x')")) == []
    assert said(column(values, Replace("gone")), CheckConstraint("a IN ('gone', 'x')")) == []
    ((_, text),) = said(column(values, Replace(Status.OPEN)), CheckConstraint("a <> 'open'"))
    assert "refuses the new value of a" in text


def test_a_constraint_over_two_columns_is_asked_when_both_are_decided():
    def table(first, second, constraint="(a IS NULL) = (b IS NULL)"):
        return (
            column(String, first),
            Column("b", String, personal(second)),
            CheckConstraint(constraint),
        )

    assert said(*table(Clear(), Clear())) == []
    ((_, text),) = said(*table(Clear(), Replace("")))
    assert "a, b" in text
    assert len(said(*table(Clear(), Clear(), "a IS NOT NULL OR b IS NOT NULL"))) == 1


def test_a_check_that_is_an_expression_is_asked_as_well():
    target = column(String, Replace(""))

    assert len(said(target, CheckConstraint(target != ""))) == 1


@pytest.mark.parametrize(
    "constraint", ["(photo IS NULL) = (a::text = 'null')", "json_type(a) = 'null'"]
)
def test_a_check_that_wants_json_null_refuses_sql_null(constraint):
    photo = Column("photo", String, personal(Clear()))

    ((_, text),) = said(photo, column(JSON, Clear()), CheckConstraint(constraint))

    assert "JSON null" in text


def test_json_null_itself_is_what_such_a_check_accepts():
    assert said(column(JSON, Replace(None)), CheckConstraint("json_type(a) = 'null'")) == []


def test_the_values_of_an_enum_column_are_its_types_business():
    bound = Enum("open", "gone", create_constraint=True, name="status")

    ((_, text),) = said(column(bound, Replace("deleted")))

    assert "only these values" in text
