"""Markers put decisions into ``info`` and travel with mixins, ``Annotated`` types and copies."""

from typing import Annotated

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from efface import (
    Clear,
    Delete,
    Placeholder,
    Policy,
    Redact,
    Retain,
    data_subject,
    no_personal_data,
    not_personal,
    on_close,
    personal,
)
from efface.errors import SubjectTableError

Phone = Annotated[str | None, mapped_column(String(40), personal(Clear()))]


def model():
    """A small declarative model that uses every way of saying something."""

    class Base(DeclarativeBase):
        pass

    class Timestamps:
        created: Mapped[int] = mapped_column(not_personal())

    class Person(Timestamps, Base):
        __tablename__ = "people"
        __table_args__ = (
            UniqueConstraint("email"),
            data_subject(identifiers=["email"], not_personal=["locale"]),
        )

        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column(String(120), personal(Placeholder.email()))
        phone: Mapped[Phone]
        locale: Mapped[str]

    return Base.metadata


def test_markers_stand_beside_constraints_and_after_types():
    rule = Policy.from_metadata(model()).tables["people"]

    assert rule.subjects[0].identifiers == ("email",)
    assert {mark.name for mark in rule.personal_columns()} == {"email", "phone"}
    assert rule.columns["locale"][0].action is None


def test_mixins_and_annotated_types_carry_their_decisions():
    rule = Policy.from_metadata(model()).tables["people"]

    assert rule.columns["created"][0].action is None
    assert rule.columns["phone"][0].action == Clear()


def test_a_copy_of_the_metadata_has_the_same_policy():
    original, copy = model(), MetaData()

    for table in original.sorted_tables:
        table.to_metadata(copy)

    assert Policy.from_metadata(copy).digest == Policy.from_metadata(original).digest


def test_core_tables_take_the_same_markers():
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(20), personal(Clear())),
        data_subject(Delete()),
    )

    policy = Policy.from_metadata(metadata)

    assert policy.removes_subject
    assert [mark.action for mark in policy.tables["people"].personal_columns()] == [Clear()]


def test_a_table_carries_one_marker_per_link():
    metadata = MetaData()
    table = Table(
        "messages",
        metadata,
        Column("sender_id", Integer),
        Column("recipient_id", Integer),
        on_close(Redact(), via="sender_id"),
        on_close(Delete(), via="recipient_id"),
    )

    rule = Policy.from_metadata(metadata).tables[table.name]

    assert [mark.via for mark in rule.close_rules] == ["sender_id", "recipient_id"]


def test_a_changed_decision_changes_the_digest():
    def metadata(action):
        made = MetaData()
        Table("t", made, Column("id", Integer, primary_key=True), on_close(action, via="id"))
        return made

    digests = {
        Policy.from_metadata(metadata(action)).digest
        for action in (
            Delete(),
            Redact(),
            Retain("P1Y", basis="contract", reason="x"),
            Retain("P2Y", basis="contract", reason="x"),
        )
    }

    assert len(digests) == 4


def test_a_marker_in_the_wrong_place_is_refused():
    with pytest.raises(
        TypeError, match=r"no_personal_data\(\) is a rule for a table, but it was added"
    ):
        Column("name", String, no_personal_data(reason="no"))


@pytest.mark.parametrize("markers", [0, 2])
def test_a_policy_has_exactly_one_table_of_people(markers):
    metadata = MetaData()
    for number in range(2):
        table = Table(f"t{number}", metadata, Column("id", Integer, primary_key=True))
        if number < markers:
            data_subject()._set_parent(table)

    with pytest.raises(SubjectTableError):
        _ = Policy.from_metadata(metadata).subject_table
