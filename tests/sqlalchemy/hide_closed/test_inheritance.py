"""People as a kind of something: classes above and below the one that closes."""

from types import SimpleNamespace

import pytest
from sqlalchemy import DateTime, ForeignKey, Integer, String, delete, event, select, text, update
from sqlalchemy.orm import aliased, mapped_column, registry, sessionmaker, with_polymorphic

from efface import Policy, data_subject
from efface.errors import StatementError, UnfilteredStatementError
from efface.sqlalchemy import hide_closed
from tests.sqlalchemy.hide_closed.forum_people import GRACE, POLICY
from tests.support.schemas import forum
from tests.support.schemas.forum import User


@pytest.fixture
def parties(database):
    """People are one kind of party; the class of parties knows nothing of closing."""
    base = registry().generate_base()

    class Party(base):
        __tablename__ = "parties"
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "firm"}  # noqa: RUF012
        id = mapped_column(Integer, primary_key=True)
        kind = mapped_column(String(10))

    class Person(Party):
        __tablename__ = "persons"
        __table_args__ = (data_subject(not_personal=["role"]),)
        __mapper_args__ = {"polymorphic_identity": "person"}  # noqa: RUF012
        id = mapped_column(ForeignKey("parties.id"), primary_key=True)
        role = mapped_column(String(10))
        deleted_at = mapped_column(DateTime(timezone=True))

    base.metadata.create_all(database)
    maker = sessionmaker(database)
    hide_closed(maker, Policy.from_metadata(base.metadata))
    with maker() as session:
        session.add_all([Person(id=1, deleted_at=forum.NOW), Person(id=2), Party(id=3)])
        session.commit()
        yield SimpleNamespace(session=session, Party=Party, Person=Person)


def test_nobody_is_closed_between_the_look_at_a_list_of_keys_and_the_update(engine):
    """Else the new name would come into a row that the closing has just emptied."""
    refused = []

    def close_grace(_connection, _cursor, statement, *_):
        if statement.startswith("UPDATE users SET name") and not refused:
            with engine.connect() as connection:
                soon = {"sqlite": "PRAGMA busy_timeout = 1"}
                connection.execute(text(soon.get(engine.dialect.name, "SET lock_timeout = 1")))
                with pytest.raises(StatementError) as caught:
                    forum.eraser().close_account(connection, GRACE, actor="test")
            refused.append(caught.value)

    maker = sessionmaker(engine)
    hide_closed(maker, POLICY)
    with maker.begin() as session:
        event.listen(engine, "before_cursor_execute", close_grace)
        session.execute(update(User), [{"id": GRACE, "name": "Grace Brewster"}])
    with engine.begin() as connection:
        receipt = forum.eraser().close_account(connection, GRACE, actor="test")

    assert len(refused) == 1
    with engine.connect() as connection:
        assert connection.scalar(select(User.name).where(User.id == GRACE)) is None
    assert not receipt.already_closed


def test_the_class_above_people_hides_them_too(parties):
    session, party, person = parties.session, parties.Party, parties.Person
    everything = with_polymorphic(party, "*")

    for column in (party.id, aliased(party).id, everything.id):
        assert session.scalars(select(column).order_by(column)).all() == [2, 3]
    assert session.scalars(select(person.id)).all() == [2]
    assert session.get(party, 1) is None
    assert session.get(person, 1) is None
    assert session.execute(update(party).values(kind="x").where(party.id != 3)).rowcount == 1
    session.execute(update(party), [{"id": 1, "kind": "y"}, {"id": 3, "kind": "y"}])
    assert session.scalars(text("SELECT id FROM parties WHERE kind = 'y'")).all() == [3]


def test_people_below_another_class_are_not_written_in_bulk(parties):
    """The condition is about the table above, which such an UPDATE does not have."""
    for statement in (
        update(parties.Person).values(role="x"),
        delete(parties.Person),
        select(aliased(parties.Party, select(parties.Party.kind).subquery()).kind),
    ):
        with pytest.raises(UnfilteredStatementError):
            parties.session.execute(statement)
    core_only = {"dml_strategy": "core_only"}
    statement = update(parties.Party).values(kind="x").execution_options(**core_only)
    with pytest.raises(UnfilteredStatementError):
        parties.session.execute(statement)
