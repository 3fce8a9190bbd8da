"""References that no link names, and link columns without an index."""

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    func,
)

from efface import (
    Delete,
    MatchBy,
    Policy,
    Redact,
    data_subject,
    no_personal_data,
    not_personal,
    on_close,
    personal,
)
from efface.errors import raise_problems
from efface.policy.actions import Unlink
from efface.policy.check import check
from efface.policy.relationships import OwnedBy
from tests.policy.relationships import said, schema

# ---------------------------------------------------------------- references without a link


@pytest.mark.parametrize(
    "marker",
    [on_close(Redact(), via="author_id"), no_personal_data(reason="I forgot the editor")],
)
def test_a_reference_to_the_people_that_no_link_names_is_a_warning(marker):
    metadata = schema()
    Table(
        "posts",
        metadata,
        Column("author_id", Integer),
        Column("editor_id", ForeignKey("people.id")),
        marker,
    )

    problems = [p for p in check(Policy.from_metadata(metadata)) if p.code == "W101"]

    assert [(p.place, p.level) for p in problems] == [("posts.editor_id", "warning")]
    assert raise_problems(problems) is None


def test_a_decided_reference_is_no_warning():
    metadata = schema()
    Table(
        "posts",
        metadata,
        Column("author_id", ForeignKey("people.id"), index=True),
        Column("editor_id", ForeignKey("people.id"), not_personal()),
        on_close(Redact(), via="author_id"),
    )

    assert said(metadata) == []


def test_a_person_who_refers_to_another_is_a_warning_too():
    metadata = schema()
    inviter = Column("invited_by", ForeignKey("people.id"))
    metadata.tables["people"].append_column(inviter)

    (found,) = check(Policy.from_metadata(metadata))

    assert (found.code, found.place) == ("W101", "people.invited_by")
    # No link: whoever was invited does not leave together with the one who invited them.
    assert "on_close" not in found.paste
    assert [line.split("    #")[0] for line in found.paste.splitlines()] == [
        "personal(Unlink())",
        "not_personal()",
    ]
    personal(Unlink())._set_parent(inviter)
    assert said(metadata) == []


def test_a_composite_reference_is_known_by_its_columns_in_any_order():
    def notes(via):
        metadata = MetaData()
        Table(
            "people",
            metadata,
            Column("site", Integer, primary_key=True),
            Column("id", Integer, primary_key=True),
            data_subject(Delete()),
        )
        Table(
            "notes",
            metadata,
            Column("site", Integer),
            Column("who", Integer),
            ForeignKeyConstraint(["site", "who"], ["people.site", "people.id"]),
            Index("ix_notes", "who", "site"),
            on_close(Delete(), via=via),
        )
        return metadata

    assert said(notes(("site", "who"))) == []
    assert said(notes("who")) == [("W101", "notes.site")]


# ---------------------------------------------------------------- indexes


@pytest.mark.parametrize(
    "index",
    [
        [Index("i", "person_id")],
        [Index("i", "person_id", "other")],
        [UniqueConstraint("person_id", "other")],
        [PrimaryKeyConstraint("person_id", "other")],
    ],
)
def test_a_link_column_that_leads_an_index_is_no_warning(index):
    assert said(notes(*index)) == []


@pytest.mark.parametrize(
    "index",
    [
        [],
        [Index("i", "other", "person_id")],
        [Index("i", "person_id", sqlite_where=Column("other").is_not(None))],
        [Index("i", func.abs(Column("person_id")))],
        [PrimaryKeyConstraint("other", "person_id")],
    ],
)
def test_a_link_column_that_leads_no_whole_index_is_a_warning(index):
    problems = check(Policy.from_metadata(notes(*index)))

    assert [(p.code, p.place, p.level) for p in problems] == [
        ("W102", "notes.person_id", "warning")
    ]
    assert problems[0].paste == 'Index("ix_notes_person_id", "person_id")'


def notes(*index):
    metadata = schema()
    Table(
        "notes",
        metadata,
        Column("person_id", ForeignKey("people.id")),
        Column("other", Integer),
        on_close(Delete(), via="person_id"),
        *index,
    )
    return metadata


@pytest.mark.parametrize("indexed", [True, False])
def test_rows_that_are_owned_are_looked_up_by_whoever_refers_to_them(indexed):
    metadata = schema()
    Table("addresses", metadata, Column("id", Integer, primary_key=True),
          on_close(Delete(), via=OwnedBy(by="people.home_id")))  # fmt: skip
    home = Column("home_id", ForeignKey("addresses.id"), index=indexed)
    metadata.tables["people"].append_column(home)

    assert said(metadata) == ([] if indexed else [("W102", "people.home_id")])


def test_a_link_by_value_needs_an_index_as_well():
    metadata = schema()
    Table(
        "letters",
        metadata,
        Column("address", String),
        on_close(Delete(), via=MatchBy("address", equals="people.email")),
    )

    assert said(metadata) == [("W102", "letters.address")]
