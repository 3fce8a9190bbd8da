"""`efface.testing.populate`: a person in every column, in any schema."""

import re

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from efface import Clear, Generic, Redact, data_subject, no_personal_data, on_close, personal
from efface.errors import SubjectTableError
from efface.testing import populate
from tests.support.schemas import forum, odds, tangle
from tests.testing.worlds import FORUM, WORLDS, found_in


@pytest.mark.parametrize("world", WORLDS, indirect=True)
def test_a_person_is_in_every_column_and_leaves_no_trace(world):
    """The whole story, for any schema: filled, seen, closed, not seen any more."""
    person, bystander = world.people.user, world.people.bystander
    for table in world.metadata.tables.values():
        rows = world.rows(table)
        assert len(rows) >= 2, table.name
        empty = [
            column.name
            for column in table.columns
            if not any(r[column.name] != None for r in rows)  # noqa: E711
        ]
        assert empty in ([], ["deleted_at"]), table.name
    for somebody in (person, bystander):
        with pytest.raises(AssertionError, match="still contains an identifier"):
            world.look_for(somebody)

    world.close(person)

    world.look_for(person)
    world.look_for(person, subject=person.key)
    with pytest.raises(AssertionError):
        world.look_for(bystander)
    world.close(bystander)
    world.look_for(bystander)


@pytest.mark.parametrize("world", WORLDS, indirect=True)
def test_the_bystander_does_not_notice(world):
    """In rows of the bystander's own; those that both share keep what is the bystander's."""
    person, bystander = world.people.user, world.people.bystander

    def left():
        found = []
        for somebody in (bystander, person):
            try:
                world.look_for(somebody)
            except AssertionError as error:
                found.append(dict(re.findall(r"\n  (\S+)  (\d+) row", str(error))))
            else:
                found.append({})
        return found

    before, _ = left()
    world.close(person)
    after, gone = left()

    assert gone == {}
    assert before.keys() == after.keys()
    own = world.policy.subject_table.fullname
    assert {p: n for p, n in before.items() if p.startswith(own)} == {
        p: n for p, n in after.items() if p.startswith(own)
    }


def test_markers_stand_in_one_column_each(world):
    markers = world.people.user.markers

    assert {"users.bio", "orders.note", "posts.ip", "invoices.billing_name"} <= markers.keys()
    assert len(set(markers.values())) == len(markers)
    for place, word in markers.items():
        if not place.startswith("invoices."):  # kept
            assert found_in(world, [word]).keys() == {place}


def test_text_that_is_edited_names_the_person_and_text_of_nobody_does_not(world):
    email, *_ = world.people.user.identifiers
    post, *_ = world.rows(forum.Post.__table__)

    assert email in post["body"]
    assert not any(word in post["title"] for word in world.people.user.traces)
    assert "posts.body" not in world.people.user.markers


def test_links_by_value_and_shared_rows_lead_to_the_person(populated):
    world = populated(tangle.metadata)
    key, other = world.people.user.key, world.people.bystander.key

    letters = {(m["sender_id"], m["recipient_id"]) for m in world.rows(tangle.messages)}
    teams = {t["owner_id"] for t in world.rows(tangle.teams)}
    scores = {(s["season"], s["number"]) for s in world.rows(tangle.scores)}

    assert letters == {(key, key), (other, other), (key, other), (other, key)}
    assert teams == {key, other}
    assert len(scores) == 2


@pytest.mark.parametrize("is_text", [True, False])
@pytest.mark.parametrize("is_known", [True, False])
def test_generic_pairs_lead_to_people(database, is_text, is_known):
    """A kind is a text, or a row in a table of kinds, which may be there before."""
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(200), personal(Clear())),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(identifiers=["name"]),
    )
    kinds = Table(
        "kinds",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("app", String(50)),
        Column("model", String(50)),
        UniqueConstraint("app", "model"),
        no_personal_data(reason="names of models"),
    )
    kind = Column("kind", String(50)) if is_text else Column("kind", ForeignKey("kinds.id"))
    log = Table("log", metadata, Column("id", Integer, primary_key=True), kind,
                Column("key", Text), Column("said", Text, personal(Clear())),
                on_close(Redact(), via=Generic("kind", "key", type="town.person")))  # fmt: skip
    metadata.create_all(database)
    with database.begin() as connection:
        if is_known:
            connection.execute(kinds.insert().values(id=7, app="town", model="person"))

        people = populate(connection, metadata)

    sides = [people.user.key, people.bystander.key]
    with database.connect() as connection:
        found = connection.execute(select(log.c.kind, log.c.key).order_by(log.c.id)).all()
        named = select(kinds.c.id).where(kinds.c.app == "town", kinds.c.model == "person")
        expected = "town.person" if is_text else connection.scalars(named).one()
    assert found == [(expected, str(key)) for key in sides]


def test_views_are_left_as_they_are(database):
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(),
    )
    Table("names", metadata, Column("id", Integer, primary_key=True),
          no_personal_data(reason="a view"))  # fmt: skip
    metadata.create_all(database, tables=[metadata.tables["people"]])
    with database.begin() as connection:
        kind = "VIEW" if database.dialect.name == "sqlite" else "MATERIALIZED VIEW"
        connection.execute(text(f"CREATE {kind} names AS SELECT 1 AS id"))

        people = populate(connection, metadata)

    assert people.user.key != people.bystander.key


def test_it_can_be_done_twice_beside_real_people(database):
    forum.create(database)
    with Session(database) as session:
        first = populate(session, FORUM)
        second = populate(session, FORUM)
        found = {row.id for row in session.execute(select(forum.User.__table__))}
    keys = {first.user.key, first.bystander.key, second.user.key, second.bystander.key}

    assert len(keys) == 4
    assert found == keys | {1, 2}
    assert not set(first.user.traces) & set(second.user.traces)


def test_the_caller_commits_and_gives_the_token(database):
    forum.Base.metadata.create_all(database)
    with database.connect() as connection:
        people = populate(connection, forum.Base.metadata, token=lambda: "0000abcd")
        connection.rollback()
        assert connection.scalar(select(func.count()).select_from(forum.User.__table__)) == 0

    assert people.user.identifiers[0] == "p0000abcd0@email.example.org"
    assert people.bystander.identifiers[0] == "b0000abcd0@email.example.org"


def test_constraints_are_fulfilled(database, populated):
    world = populated(odds.of(database))
    homes, people = world.rows(odds.homes), world.rows(odds.people)

    assert {home["kind"] for home in homes} <= {"house", "flat"}
    assert all(0 < home["rooms"] < 20 < home["doubled"] + home["area"] for home in homes)
    assert all(18 <= person["age"] <= 90 and len(person["code"]) == 4 for person in people)
    assert all(person["seen_at"].date() > person["born_on"] for person in people)


class TestUnknownTypes:
    """Columns that only the application can fill."""

    @pytest.fixture
    def metadata(self):
        metadata = MetaData()
        Table(
            "people",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("email", String(40), personal(Clear())),
            Column("place", odds.Point, personal(Clear()), nullable=False),
            Column("other", odds.Point, personal(Clear())),
            data_subject(identifiers=["email"], deleted_at="email"),
        )
        return metadata

    def test_they_are_named_before_anything_is_inserted(self, metadata, database):
        metadata.create_all(database)
        with database.connect() as connection:
            with pytest.raises(ValueError, match=r'values={"people.place": \.\.\.}'):
                populate(connection, metadata)
            assert connection.scalar(text("SELECT count(*) FROM people")) == 0

    def test_they_take_the_values_given(self, metadata, database):
        metadata.create_all(database)
        with database.connect() as connection:
            given = {"people.place": "0 0", "people.email": lambda number: f"{number}@x.example"}
            people = populate(connection, metadata, values=given)
            found = connection.execute(text("SELECT place, other, email FROM people")).all()

        assert {row[:2] for row in found} == {("0 0", None)}
        assert {row[2] for row in found} == {"9000@x.example", "9001@x.example"}
        assert people.user.identifiers == ("9000@x.example",)


def test_what_the_database_refuses_says_how_to_go_on(database):
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("email", String(40), personal(Clear())),
        data_subject(identifiers=["email"]),
    )
    metadata.create_all(database)
    with database.connect() as connection:
        connection.execute(text("CREATE UNIQUE INDEX one_only ON people ((id > 0))"))
        with pytest.raises(IntegrityError) as refused:
            populate(connection, metadata)

    assert 'values={"people.<column>": ...}' in refused.value.__notes__[0]


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_circle_that_no_row_can_begin_is_named(database, deferrable):
    """SQLite can check every key later; elsewhere the key has to say so."""
    metadata = MetaData()
    home = ForeignKey("homes.id", use_alter=True, name="home", deferrable=deferrable or None)
    Table("people", metadata, Column("id", Integer, primary_key=True),
          Column("home_id", home, nullable=False), Column("deleted_at", DateTime(timezone=True)),
          data_subject())  # fmt: skip
    owner = Column("owner_id", ForeignKey("people.id"), nullable=False, index=True)
    Table("homes", metadata, Column("id", Integer, primary_key=True), owner,
          on_close(Redact(), via="owner_id"))  # fmt: skip
    metadata.create_all(database)

    with database.begin() as connection:
        if deferrable or database.dialect.name == "sqlite":
            assert populate(connection, metadata).user.key
            return
        with pytest.raises(
            ValueError, match=r"none of them can have the first row: homes, people\."
        ):
            populate(connection, metadata)


def test_without_people_there_is_nobody_to_populate():
    with pytest.raises(SubjectTableError):
        populate(None, MetaData())
