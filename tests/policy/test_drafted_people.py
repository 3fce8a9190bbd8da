"""Which table a draft takes for that of the users, and what it says of views."""

import pytest
from sqlalchemy import Column, DateTime, ForeignKey, Integer, MetaData, String, Table

from efface.catalog.metadata import VIEW
from efface.errors import SettingsError
from efface.policy.draft import draft


def people(*columns):
    metadata = MetaData()
    gone = Column("deleted_at", DateTime(timezone=True))
    Table("users", metadata, Column("id", Integer, primary_key=True), gone, *columns)
    return metadata


def test_people_whose_addresses_are_in_a_table_of_their_own_are_found():
    metadata = people(Column("colour", String))
    Table("addresses", metadata, Column("user_id", ForeignKey("users.id")), Column("email", String))
    for number in range(6):
        Table(f"t{number}", metadata, Column("user_id", ForeignKey("users.id")))
    Table("persons", metadata, Column("id", Integer, primary_key=True), Column("email", String))
    Table("letters", metadata, Column("person_id", ForeignKey("persons.id")))

    text = draft(metadata)

    assert "[tables.users.data_subject]" in text
    assert "[tables.persons.data_subject]" not in text
    assert "an email address or login in a table that refers to it, 7 tables refer to it" in text


def test_between_two_equal_tables_of_people_there_is_no_guess():
    metadata = people(Column("email", String))
    Table("members", metadata, Column("id", Integer, primary_key=True), Column("email", String))

    text = draft(metadata)

    assert "data_subject" not in text
    assert "# These may be the users' table as well: members, users. To choose one:" in text
    assert "# efface draft --people TABLE" in text
    assert "[tables.members.data_subject]" in draft(metadata, "members")


@pytest.mark.parametrize(
    ("name", "says"),
    [("user", "Did you mean users?"), ("logs", "without a primary key"), ("cards", "or a view")],
)
def test_a_table_that_can_have_no_users_is_refused(name, says):
    metadata = people(Column("email", String))
    Table("logs", metadata, Column("user_id", Integer))
    Table("cards", metadata, Column("id", Integer, primary_key=True), info={VIEW: True})

    with pytest.raises(SettingsError, match=f"--people {name} names") as caught:
        draft(metadata, name)

    assert says in str(caught.value)


def test_a_view_is_decided_as_one():
    metadata = people()
    user = Column("user_id", ForeignKey("users.id"))
    Table("cards", metadata, user, Column("email", String), info={VIEW: True})

    assert '[tables.cards]\nno_personal_data = {reason = "a view"}' in draft(metadata)
