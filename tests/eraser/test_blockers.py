"""A closing that the application stops under the lock: pitfalls P-54, P-63 and P-70 to P-72."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    func,
    insert,
    select,
)
from sqlalchemy.orm import Session

from efface import (
    Delete,
    Eraser,
    Placeholder,
    Policy,
    data_subject,
    no_personal_data,
    on_close,
    personal,
)
from efface.errors import (
    ActorIdentifiesUserError,
    ActorLengthError,
    BlockedError,
    UnknownSubjectError,
)
from efface.store.efface_tables import closings

metadata = MetaData()
people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email", String(80), personal(Placeholder.email())),
    Column("deleted_at", DateTime(timezone=True)),
    data_subject(identifiers=["email"]),
)
groups = Table(
    "groups",
    metadata,
    Column("id", Integer, primary_key=True),
    no_personal_data(reason="they hold nothing about anybody"),
)
organizers = Table(
    "organizers",
    metadata,
    Column("group_id", ForeignKey("groups.id"), primary_key=True),
    Column("person_id", ForeignKey("people.id"), primary_key=True, index=True),
    on_close(Delete(), via="person_id"),
)


@pytest.fixture
def eraser():
    return Eraser(Policy.from_metadata(metadata), secret=b"k" * 32)


@pytest.fixture
def engine(database, eraser):
    """Ada and Grace organize group 7 together; Ada alone organizes group 8."""
    metadata.create_all(database)
    eraser.create_tables(database)
    with database.begin() as connection:
        connection.execute(
            insert(people), [{"id": 1, "email": "ada@x.example"}, {"id": 2, "email": "grace@x"}]
        )
        connection.execute(insert(groups), [{"id": 7}, {"id": 8}])
        connection.execute(
            insert(organizers),
            [
                {"group_id": 7, "person_id": 1},
                {"group_id": 7, "person_id": 2},
                {"group_id": 8, "person_id": 1},
            ],
        )
    return database


def last_of(connection, person):
    """The groups that would be without an organizer: lock them all, then look."""
    mine = select(organizers.c.group_id).where(organizers.c.person_id == person)
    connection.execute(
        select(groups.c.id).where(groups.c.id.in_(mine)).order_by(groups.c.id).with_for_update()
    )
    lonely = (
        select(organizers.c.group_id)
        .where(organizers.c.group_id.in_(mine))
        .group_by(organizers.c.group_id)
        .having(func.count() == 1)
    )
    return connection.scalars(lonely).all()


def everything(engine):
    with engine.connect() as connection:
        return [connection.execute(select(t)).all() for t in (people, organizers, closings)]


def test_reasons_stop_the_closing_and_nothing_was_changed(engine, eraser):
    before = everything(engine)

    with engine.begin() as connection, pytest.raises(BlockedError) as stopped:
        eraser.close_account(connection, 1, actor="test", blockers=last_of)

    assert stopped.value.reasons == (8,)
    assert stopped.value.code == "E413"
    assert "1 reason" in str(stopped.value)
    assert "2 reasons" in str(BlockedError([7, 8]))
    assert everything(engine) == before


def test_without_reasons_it_goes_on(engine, eraser):
    with engine.begin() as connection:
        receipt = eraser.close_account(connection, 2, actor="test", blockers=last_of)

    assert not receipt.already_closed


def test_it_is_asked_once_the_row_is_locked_and_known_to_be_open(engine, eraser):
    """Who is closed, or was never there, has nothing to settle."""
    asked = []

    def blockers(_connection, person):
        asked.append(person)
        return []

    with engine.begin() as connection:
        eraser.close_account(connection, 2, actor="test", blockers=blockers)
        again = eraser.close_account(connection, 2, actor="test", blockers=blockers)
        with pytest.raises(UnknownSubjectError):
            eraser.close_account(connection, 3, actor="test", blockers=blockers)

    assert again.already_closed
    assert asked == [2]


def test_a_question_that_fails_rolls_back(engine, eraser):
    """What it may have written before it failed must not be committed with half a closing."""
    before = everything(engine)

    def blockers(connection, _person):
        connection.execute(organizers.delete())
        raise LookupError

    with pytest.raises(LookupError), engine.begin() as connection:
        eraser.close_account(connection, 1, actor="test", blockers=blockers)

    assert everything(engine) == before


def test_two_organizers_who_leave_at_once_do_not_both_go(engine, eraser):
    """Each sees the other when asked; on PostgreSQL both are at the question at the same time."""
    with engine.begin() as connection:
        connection.execute(organizers.delete().where(organizers.c.group_id == 8))
    meeting = threading.Barrier(2)

    def blockers(connection, person):
        if engine.dialect.name == "postgresql":
            meeting.wait(10)
        return last_of(connection, person)

    def leave(person):
        if engine.dialect.name == "sqlite":
            meeting.wait(10)  # there the lock itself lets only one in at a time
        with engine.begin() as connection:
            try:
                return eraser.close_account(connection, person, actor="test", blockers=blockers)
            except BlockedError as stopped:
                return stopped.reasons

    with ThreadPoolExecutor(2) as both:
        results = list(both.map(leave, (1, 2)))

    assert (7,) in results
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(organizers)) == 1
        assert connection.scalar(select(func.count()).select_from(closings)) == 1


# ---------------------------------------------------------------- by every way, and in spite of it


@pytest.fixture
def asking():
    """An eraser that asks whoever closes an account."""
    return Eraser(Policy.from_metadata(metadata), secret=b"k" * 32, blockers=last_of)


def in_a_session(engine, close):
    with Session(engine) as session, session.begin():
        return close(session)


def in_a_connection(engine, close):
    with engine.begin() as connection:
        return close(connection)


WAYS = {
    "close": lambda eraser, key, **options: (
        lambda bind: eraser.close_account(bind, key, actor="test", **options)
    ),
    "batch": lambda eraser, key, **options: (
        lambda bind: eraser.close_accounts(bind, [key], actor="test", **options)
    ),
    "adopt": lambda eraser, key: lambda bind: eraser.adopt(bind, key, actor="test"),
}


@pytest.mark.parametrize("bound", [in_a_session, in_a_connection])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_asks_the_same_function(engine, asking, way, bound):
    before = everything(engine)

    with pytest.raises(BlockedError) as stopped:
        bound(engine, WAYS[way](asking, 1))

    assert (stopped.value.reasons, stopped.value.keys) == ((8,), (1,))
    assert everything(engine) == before
    bound(engine, WAYS[way](asking, 2))


@pytest.mark.parametrize("way", ["close", "batch"])
def test_an_override_is_recorded_with_its_reason_where_it_was_needed(engine, asking, way):
    def closed(key):
        done = in_a_connection(engine, WAYS[way](asking, key, override_blockers="ticket 8114"))
        receipt = done.receipts[0] if way == "batch" else done
        with engine.connect() as connection:
            return asking.get_receipt(connection, receipt.reference)

    assert closed(2).overridden is None
    assert closed(1).overridden == "ticket 8114"


def test_an_override_does_not_name_the_user(engine, asking):
    with engine.begin() as connection, pytest.raises(ActorIdentifiesUserError):
        asking.close_account(connection, 1, actor="x", override_blockers="for ada@x.example")


@pytest.mark.parametrize("text", ["", "x\nforged line", "x\x1b[31m", "x" * 201, 7])
@pytest.mark.parametrize("name", ["actor", "override_blockers"])
def test_what_is_recorded_is_one_printable_line(engine, eraser, name, text):
    said = {"actor": "test", "override_blockers": "ticket 8114", name: text}
    with engine.begin() as connection, pytest.raises(ActorLengthError, match=f"{name} must be"):
        eraser.close_account(connection, 1, **said)


def test_a_batch_blocks_what_a_sequence_blocks(engine, asking):
    """Each of the two organizers of a group is the other's replacement, and both leave."""
    with engine.begin() as connection:
        connection.execute(organizers.delete().where(organizers.c.group_id == 8))
    before = everything(engine)

    with engine.begin() as connection, pytest.raises(BlockedError) as stopped:
        asking.close_accounts(connection, [1, 2], actor="test")
        # Even if the caller commits all the same.

    assert (stopped.value.reasons, stopped.value.keys) == ((7,), (2,))
    assert everything(engine) == before


def test_a_batch_in_which_nothing_blocks_is_closed_once(engine, asking):
    with engine.begin() as connection:
        connection.execute(organizers.delete())
    with engine.begin() as connection:
        batch = asking.close_accounts(connection, [1, 2], actor="test")

    assert batch.closed == 2
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(closings)) == 2
