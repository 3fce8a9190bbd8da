"""Every column decided, every action possible; all problems at once, with the lines to paste."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Time,
    TypeDecorator,
    create_engine,
    func,
    text,
)

from efface import (
    Basis,
    Clear,
    Delete,
    Eraser,
    Placeholder,
    Policy,
    Redact,
    Replace,
    ReplaceMentions,
    Retain,
    Unlink,
    data_subject,
    no_personal_data,
    not_personal,
    on_close,
    personal,
)
from efface.errors import IncompletePolicyError, Problem
from efface.policy.check import check
from tests.support.schemas import forum


def people(metadata, *columns, marker=None, deleted_at=True):
    """The table of people, with these further columns."""
    extra = [Column("deleted_at", DateTime(timezone=True))] if deleted_at else []
    key = Column("id", Integer, primary_key=True)
    return Table("people", metadata, key, *extra, *columns, marker or data_subject())


def problems(metadata):
    """What `check` calls an error, as (code, place)."""
    found = check(Policy.from_metadata(metadata))
    return [(p.code, p.place) for p in found if p.level == "error"]


def test_a_decided_schema_has_no_problems():
    assert check(Policy.from_metadata(forum.Base.metadata)) == ()


def test_an_undecided_column_is_named_with_the_lines_to_paste():
    metadata = MetaData()
    people(metadata, Column("phone", String(20)))

    found = check(Policy.from_metadata(metadata))

    assert [(p.code, p.place) for p in found] == [("E101", "people.phone")]
    assert found[0].paste == "personal(Clear())\nnot_personal()"


def test_the_pasted_line_decides_the_column():
    metadata = MetaData()
    people(metadata, Column("phone", String(20), personal(Clear())))

    assert problems(metadata) == []


def test_an_undecided_table_is_named():
    metadata = MetaData()
    people(metadata)
    Table("notes", metadata, Column("person_id", ForeignKey("people.id")))

    found = check(Policy.from_metadata(metadata))

    assert [(p.code, p.place) for p in found] == [("E101", "notes")]
    assert 'on_close(Delete(), via="person_id")' in found[0].paste


def test_everything_is_reported_at_once():
    metadata = MetaData()
    people(metadata, Column("phone", String(20)), Column("street", String(20), nullable=False))
    Table("notes", metadata, Column("id", Integer, primary_key=True))

    assert problems(metadata) == [
        ("E101", "notes"),
        ("E101", "people.phone"),
        ("E101", "people.street"),
    ]


def test_a_table_that_joins_the_metadata_later_is_undecided():
    metadata = MetaData()
    people(metadata)
    policy = Policy.from_metadata(metadata)
    Table("late", metadata, Column("id", Integer, primary_key=True))

    assert [(p.code, p.place) for p in check(policy)] == [("E101", "late")]


@pytest.mark.parametrize("action", [Delete(), Retain("P1Y", Basis.CONTRACT, "a warranty")])
def test_a_row_that_goes_decides_its_columns(action):
    metadata = MetaData()
    people(metadata)
    Table(
        "notes",
        metadata,
        Column("person_id", ForeignKey("people.id")),
        Column("text", String),
        on_close(action, via="person_id"),
    )

    assert problems(metadata) == []


def test_a_retained_row_that_is_redacted_later_needs_its_columns_decided():
    metadata = MetaData()
    people(metadata)
    retain = Retain("P1Y", Basis.CONTRACT, "a warranty", then=Redact())
    Table(
        "notes",
        metadata,
        Column("person_id", ForeignKey("people.id")),
        Column("text", String),
        on_close(retain, via="person_id"),
    )

    assert problems(metadata) == [("E101", "notes.text")]


def test_a_text_key_needs_a_mark_and_a_number_does_not():
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("handle", String(20), primary_key=True),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(),
    )

    assert problems(metadata) == [("E101", "people.handle")]


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (Column("a", String(90), personal(Clear()), nullable=False), "does not accept NULL"),
        (Column("a", String(29), personal(Placeholder.email())), "room for 29 characters"),
        (Column("a", Integer, personal(Placeholder())), "does not hold text"),
        (Column("a", String(16), personal(Placeholder())), "room for 16 characters"),
        (Column("a", String(40), personal(Placeholder(prefix=""))), "hexadecimal digits alone"),
        (Column("a", String(40), personal(Placeholder(prefix="bad"))), "hexadecimal digits alone"),
        (Column("a", String, Computed("b"), personal(Clear())), "computes a from other columns"),
        (Column("a", String, Computed("b"), personal(Replace("x"))), "computes a from other"),
        (Column("a", LargeBinary, personal(ReplaceMentions("x"))), "neither text nor JSON"),
        (Column("a", String, personal(Clear(), via="nowhere")), None),
    ],
)
def test_an_action_impossible_on_its_column_is_reported(column, says):
    metadata = MetaData()
    people(metadata, column)

    found = [p for p in check(Policy.from_metadata(metadata)) if p.code == "E103"]

    assert [says in p.text for p in found] == ([True] if says else [])


def test_a_placeholder_that_just_fits_is_possible():
    metadata = MetaData()
    people(metadata, Column("email", String(30), personal(Placeholder.email())))

    assert problems(metadata) == []


def test_two_decisions_for_one_column_are_reported():
    metadata = MetaData()
    people(metadata, Column("name", String, personal(Clear()), not_personal()))

    assert problems(metadata) == [("E104", "people.name")]


def letters(*subjects, **links):
    """A table between two people: a subject decided for each, and what happens by each link."""
    metadata = MetaData()
    people(metadata)
    Table(
        "letters",
        metadata,
        Column("writer", ForeignKey("people.id")),
        Column("reader", ForeignKey("people.id")),
        Column("subject", String, *subjects),
        *(on_close(action, via=via) for via, action in links.items()),
    )
    return metadata


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (Clear(), Replace("gone")),
        (Replace("gone"), Replace("away")),
        (Placeholder(), Clear()),
    ],
)
def test_two_people_in_a_row_cannot_each_leave_another_value(written, read):
    """Whoever left last would decide, and a batch has no last."""
    columns = personal(written, via="writer"), personal(read, via="reader")

    found = check(Policy.from_metadata(letters(*columns, writer=Redact(), reader=Redact())))

    assert [(p.code, p.place) for p in found if p.level == "error"] == [("E104", "letters.subject")]
    assert found[0].paste.splitlines() == [
        f"personal({written!r}, via='writer')",
        f"personal({written!r}, via='reader')",
    ]
    # Where a row goes by one of the links, nobody but one person is ever asked.
    assert problems(letters(*columns, writer=Redact(), reader=Delete())) == []


@pytest.mark.parametrize(
    ("written", "read"),
    [(Clear(), Clear()), (Clear(), Unlink()), (Clear(), ReplaceMentions("someone"))],
)
def test_two_people_in_a_row_may_each_have_a_decision_that_fits_the_others(written, read):
    columns = personal(written, via="writer"), personal(read, via="reader")

    assert problems(letters(*columns, writer=Redact(), reader=Redact())) == []


def test_a_computed_column_is_suggested_no_action():
    metadata = MetaData()
    people(metadata, Column("a", String, Computed("b")))

    (found,) = check(Policy.from_metadata(metadata))

    assert (found.code, found.place, found.paste) == ("E101", "people.a", "not_personal()")


def test_a_table_cannot_be_related_and_unrelated():
    metadata = MetaData()
    people(metadata)
    Table(
        "notes",
        metadata,
        Column("person_id", ForeignKey("people.id")),
        on_close(Delete(), via="person_id"),
        no_personal_data(reason="changed my mind"),
    )

    assert problems(metadata) == [("E104", "notes")]


def test_a_misspelled_column_gets_the_nearest_known_one():
    metadata = MetaData()
    people(
        metadata,
        Column("locale", String, not_personal()),
        marker=data_subject(identifiers=["lcale"], not_personal=["lokale"]),
    )

    texts = [p.text for p in check(Policy.from_metadata(metadata))]

    assert len(texts) == 2
    assert all("Did you mean locale?" in text for text in texts)


def test_the_tombstone_must_be_there_and_accept_null():
    without, strict = MetaData(), MetaData()
    people(without, deleted_at=False)
    people(strict, Column("deleted_at", DateTime(timezone=True), nullable=False), deleted_at=False)

    assert problems(without) == [("E105", "people.deleted_at")]
    assert problems(strict) == [("E105", "people.deleted_at")]


class Moment(TypeDecorator):
    """An application's own type for moments."""

    impl = DateTime


NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("column", "is_fit"),
    [
        (Column("deleted_at", DateTime()), True),
        (Column("deleted_at", Moment()), True),
        (Column("deleted_at", TIMESTAMP(timezone=True)), True),
        (Column("deleted_at", DateTime(timezone=True), server_default=text("NULL")), True),
        (Column("deleted_at", DateTime(timezone=True), server_default=text("now()")), False),
        (Column("deleted_at", DateTime(timezone=True), default=NOW), False),
        (Column("deleted_at", DateTime(timezone=True), onupdate=func.now()), False),
        (Column("deleted_at", Boolean()), False),
        (Column("deleted_at", BigInteger()), False),
        (Column("deleted_at", Date()), False),
        (Column("deleted_at", Time()), False),
        (Column("deleted_at", String(20)), False),
    ],
    ids=str,
)
def test_deleted_at_is_a_moment_that_nothing_else_writes(column, is_fit):
    metadata = MetaData()
    people(metadata, column, deleted_at=False)

    assert problems(metadata) == ([] if is_fit else [("E105", "people.deleted_at")])


@pytest.mark.parametrize(
    "action",
    [
        Retain("ten years", Basis.LEGAL_OBLIGATION, "tax law"),
        Retain("P10Y", "because I say so", "tax law"),
        Retain("P10Y", Basis.LEGAL_OBLIGATION, " "),
        Retain("P10Y", Basis.LEGAL_OBLIGATION, "tax law", start="someday"),
    ],
)
def test_keeping_needs_a_period_a_basis_and_a_reason(action):
    metadata = MetaData()
    people(metadata)
    Table(
        "invoices",
        metadata,
        Column("person_id", ForeignKey("people.id")),
        on_close(action, via="person_id"),
    )

    assert problems(metadata) == [("E103", "invoices")]


def test_with_several_links_a_column_says_whose_it_is():
    def messages(whose):
        metadata = MetaData()
        people(metadata)
        Table(
            "messages",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("sender_id", ForeignKey("people.id")),
            Column("recipient_id", ForeignKey("people.id")),
            Column("body", String, personal(Replace(""), **whose)),
            on_close(Redact(), via="sender_id"),
            on_close(Redact(), via="recipient_id"),
        )
        return metadata

    assert problems(messages({})) == [("E103", "messages.body")]
    assert problems(messages({"via": "owner_id"})) == [("E103", "messages.body")]
    assert problems(messages({"via": "sender_id"})) == []


def test_an_undecided_column_stops_everything(tmp_path):
    metadata = MetaData()
    people(metadata, Column("phone", String(20)))
    engine = create_engine(f"sqlite:///{tmp_path / 'db'}")
    eraser = Eraser(Policy.from_metadata(metadata), secret=forum.KEY)
    metadata.create_all(engine)
    eraser.create_tables(engine)

    with engine.begin() as connection, pytest.raises(IncompletePolicyError) as caught:
        eraser.plan(connection, 1)

    message = str(caught.value)
    assert message.startswith("E101 IncompletePolicyError\n  people.phone has no rule.")
    assert "personal(Clear())" in message
    assert "Nothing was changed." in message
    engine.dispose()


def test_a_long_list_is_cut_in_the_first_sentence_only():
    found = [Problem("E101", "t", f"c{n}", "undecided") for n in range(7)]

    message = IncompletePolicyError(found).message()

    assert "and 2 more have no rule" in message
    assert message.count("E101 undecided") == 7
