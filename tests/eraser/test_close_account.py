"""Closing an account: all of it or nothing, once, and only this person."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from efface import Clear, Delete, Eraser, Policy, Revoke, data_subject, on_close, personal
from efface.errors import (
    ForeignPlanError,
    MissingDeletedAtError,
    MissingTablesError,
    StalePlanError,
    StatementError,
    UnknownSubjectError,
    UnrecordedClosingError,
    WeakSecretError,
)
from efface.plan.closing_subjects import as_utc
from efface.plan.cursor import Cursor
from efface.store.efface_tables import closings
from tests.support.databases import allow, refuse
from tests.support.schemas import forum
from tests.support.schemas.forum import Newsletter, Post, Token, User


@pytest.fixture
def engine(database):
    """The forum with Ada and Grace."""
    forum.create(database)
    return database


def close(engine, subject=1, **options):
    """Close an account in a transaction of its own."""
    with engine.begin() as connection:
        return forum.eraser(**options).close_account(connection, subject, actor="test")


def rows(engine, table=None):
    """Every row, or those of one table."""
    with engine.connect() as connection:
        found = forum.everything(connection)
    return found[table] if table else found


def row(engine, subject):
    """One person's own row."""
    with engine.connect() as connection:
        return connection.execute(select(User.__table__).where(User.id == subject)).one()


def recorded(engine):
    """How many closings are recorded."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(closings))


def test_the_persons_row_stays_as_a_tombstone(engine):
    """cases:CLO-01 for the row itself."""
    close(engine)

    ada = row(engine, 1)
    assert (ada.name, ada.hashed_password, ada.bio, ada.locale) == (None, None, "", "en")
    assert ada.email.startswith("anonymized-")
    assert ada.email.endswith("@users.invalid")
    assert as_utc(ada.deleted_at) == forum.NOW


def test_credentials_go_texts_lose_the_name_and_records_stay(engine):
    before = rows(engine)

    close(engine)

    after = rows(engine)
    assert [token.user_id for token in _rows(engine, Token)] == [2, 2]
    assert after["invoices"] == before["invoices"]
    assert [post.body for post in _rows(engine, Post) if post.author_id == 1] == [
        "Write to a former member or ask a former member.",
        "Nothing about anybody.",
        "Plain.",
    ]
    assert [post.details for post in _rows(engine, Post) if post.author_id == 1] == [
        {"by": ["a former member"]},
        {"by": []},
        None,
    ]


def _rows(engine, entity):
    with engine.connect() as connection:
        return list(connection.execute(select(entity.__table__).order_by(entity.id)))


def test_nobody_else_changes_by_a_byte(engine):
    """laws:P3, laws:P4: compared as the database has the rows, below all types."""
    queries = (
        "SELECT * FROM users WHERE id = 2",
        "SELECT id, title, body, CAST(details AS TEXT), ip FROM posts WHERE author_id = 2",
        "SELECT * FROM orders WHERE user_id = 2",
        "SELECT * FROM users_tokens WHERE user_id = 2",
        "SELECT * FROM newsletter WHERE address = 'grace@example.org'",
        "SELECT * FROM categories",
    )

    def others():
        with engine.connect() as connection:
            return [sorted(connection.execute(text(query)).all()) for query in queries]

    before = others()

    close(engine)

    assert others() == before
    assert all(before)


def test_values_that_hold_no_mention_stay_to_the_byte(engine):
    """A JSON document that is only read must not be written back in other words."""
    document = '{ "n": 12345678901234567890.0, "by":"Ada Lovelace" }'
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO posts (id, author_id, title, body, details) VALUES (90,1,'t','b',:d)"
            ),
            {"d": document},
        )
        connection.execute(
            text(
                "INSERT INTO posts (id, author_id, title, body, details) "
                "VALUES (91, 1, 't', 'ada@example.org', NULL)"
            )
        )

    close(engine)

    with engine.connect() as connection:
        query = text("SELECT id, CAST(details AS TEXT) FROM posts WHERE id > 89")
        found = dict(connection.execute(query).all())
    assert found == {90: document.replace("Ada Lovelace", "a former member"), 91: None}


def test_whoever_watches_is_told_after_each_table_and_before_anything_is_committed(engine):
    told = []

    def on_progress(done, total):
        with engine.connect() as elsewhere:
            told.append((done, total, elsewhere.scalar(select(User.deleted_at).limit(1))))

    with engine.begin() as connection:
        eraser = forum.eraser()
        eraser.close_account(connection, 1, actor="test", on_progress=on_progress)
        closed = list(told)
        eraser.close_account(connection, 1, actor="test", on_progress=on_progress)

    total = closed[0][1]
    assert total > 2
    assert closed == [(done, total, None) for done in range(1, total + 1)]
    assert told == closed  # a second time there is nothing to do, and nothing to tell


def test_closing_twice_answers_the_first_receipt_and_changes_nothing(engine):
    """cases:CLO-02, laws:P1."""
    first = close(engine)
    before = rows(engine)

    second = close(engine, clock=lambda: forum.NOW + timedelta(days=1))

    assert (first.already_closed, second.already_closed) == (False, True)
    assert second == first
    assert rows(engine) == before
    assert recorded(engine) == 1


def test_two_at_once_give_one_closing(engine):
    """cases:CLO-03: the second waits for the lock, then is told."""
    barrier = threading.Barrier(2)
    receipts, errors = [], []

    def run():
        barrier.wait()
        try:
            receipts.append(close(engine))
        except StatementError as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert sorted(receipt.already_closed for receipt in receipts) == [False, True]
    assert receipts[0] == receipts[1]
    assert recorded(engine) == 1


def test_a_failure_at_any_statement_leaves_everything_as_it_was(engine):
    """cases:CLO-05, laws:P10: each statement in turn is refused by the database."""
    tables = ["users_tokens", "newsletter", "orders", "posts", "users", "efface_closings"]
    verbs = {"users_tokens": "DELETE", "newsletter": "DELETE", "efface_closings": "INSERT"}
    before = rows(engine)

    for table in tables:
        when = "NEW.email <> OLD.email" if table == "users" else ""
        refuse(engine, table, verbs.get(table, "UPDATE"), when)

        with pytest.raises(StatementError) as caught:
            close(engine)

        assert caught.value.table == table
        assert "ada@example.org" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert rows(engine) == before
        allow(engine, table)
    assert recorded(engine) == 0


def refuse_the_last_step(engine):
    """Make the database refuse to redact the person's own row."""
    refuse(engine, "users", "UPDATE", "NEW.email <> OLD.email")


@pytest.mark.parametrize("use", ["connection", "session", "savepoint"])
def test_half_a_closing_cannot_be_committed_by_swallowing_the_error(engine, use):
    refuse_the_last_step(engine)
    before = rows(engine)
    eraser = forum.eraser()

    with engine.connect() as connection, Session(connection) as session:
        bind = connection if use == "connection" else session
        if use == "savepoint":
            session.begin_nested()
        with pytest.raises(StatementError):
            eraser.close_account(bind, 1, actor="test")
        session.commit()
        connection.commit()

    assert rows(engine) == before


def test_what_the_caller_did_before_its_savepoint_stays(engine):
    refuse_the_last_step(engine)
    eraser = forum.eraser()

    with Session(engine) as session, session.begin():
        session.execute(insert(forum.Category), [{"title": "Seeds"}])
        with pytest.raises(StatementError), session.begin_nested():
            eraser.close_account(session, 1, actor="test")

    assert [title for _, title in rows(engine, "categories")] == ["Tools", "Seeds"]
    assert row(engine, 1).deleted_at is None


def test_rolling_back_the_callers_transaction_undoes_the_closing(engine):
    before = rows(engine)

    with engine.connect() as connection:
        forum.eraser().close_account(connection, 1, actor="test")
        connection.rollback()

    assert rows(engine) == before
    assert recorded(engine) == 0


def test_a_connection_that_has_run_nothing_yet_is_committed_by_its_owner(engine):
    with engine.connect() as connection:
        forum.eraser().close_account(connection, 1, actor="test")
        connection.commit()

    assert row(engine, 1).deleted_at is not None


def test_a_refusal_before_anything_changed_leaves_the_transaction_alone(engine):
    with engine.begin() as connection:
        connection.execute(insert(forum.Category), [{"title": "Seeds"}])
        with pytest.raises(UnknownSubjectError):
            forum.eraser().close_account(connection, 77, actor="test")

    assert len(rows(engine, "categories")) == 2


def test_a_plan_that_was_read_is_carried_out(engine):
    eraser = forum.eraser()
    with engine.begin() as connection:
        plan = eraser.plan(connection, 1)

        receipt = eraser.close_account(connection, 1, actor="test", plan=plan)

    assert receipt.steps == plan.steps


def test_a_plan_counts_what_execution_counts(engine):
    """laws:P18, without handing the plan over."""
    eraser = forum.eraser()
    with engine.begin() as connection:
        plan = eraser.plan(connection, 1)
    with engine.begin() as connection:
        receipt = eraser.close_account(connection, 1, actor="test")

    assert [(s.table, s.action, s.rows) for s in receipt.steps] == [
        (s.table, s.action, s.rows) for s in plan.steps
    ]


@pytest.mark.parametrize(
    "change",
    [
        insert(Token).values(user_id=1, token=b"new"),
        insert(Post).values(author_id=1, title="t", body="b", details=None),
        update(Post).where(Post.id == 3).values(body="I am Ada Lovelace."),
        delete(Newsletter).where(Newsletter.address == "ada@example.org"),
    ],
)
def test_a_stale_plan_is_refused(engine, change):
    eraser = forum.eraser()
    with engine.begin() as connection:
        plan = eraser.plan(connection, 1)
        connection.execute(change)

    with engine.begin() as connection, pytest.raises(StalePlanError) as caught:
        eraser.close_account(connection, 1, actor="test", plan=plan)

    assert caught.value.planned != caught.value.found
    assert row(engine, 1).deleted_at is None


def test_a_plan_for_somebody_else_is_refused(engine):
    eraser = forum.eraser()
    with engine.begin() as connection:
        plan = eraser.plan(connection, 2)

        with pytest.raises(ForeignPlanError):
            eraser.close_account(connection, 1, actor="test", plan=plan)


def test_a_tombstone_set_by_hand_is_refused_and_can_be_adopted(engine):
    long_ago = datetime(2020, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
    with engine.begin() as connection:
        connection.execute(update(User).where(User.id == 1).values(deleted_at=long_ago))

    with engine.begin() as connection, pytest.raises(UnrecordedClosingError) as caught:
        forum.eraser().close_account(connection, 1, actor="test")
    assert "eraser.adopt(session, pk" in str(caught.value)
    assert row(engine, 1).email == "ada@example.org"

    with engine.begin() as connection:
        receipt = forum.eraser().adopt(connection, 1, actor="test")
    assert receipt.closed_at == long_ago
    assert row(engine, 1).email.endswith("@users.invalid")
    assert as_utc(row(engine, 1).deleted_at) == long_ago
    assert close(engine) == receipt


def reusable():
    """A schema in which the person's row goes, so that SQLite gives the key out again."""
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("email", String(80)),
        data_subject(Delete(), identifiers=["email"]),
    )
    Table(
        "tokens",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("person_id", ForeignKey("people.id"), nullable=False),
        on_close(Revoke(), via="person_id"),
    )
    return metadata


def test_a_key_given_out_again_belongs_to_somebody_new():  # only SQLite does so
    """The second pass of the first closing must not touch whoever has the key now."""
    metadata = reusable()
    people, tokens = metadata.tables["people"], metadata.tables["tokens"]
    engine = forum.engine_of()
    metadata.create_all(engine)
    eraser = Eraser(Policy.from_metadata(metadata), secret=forum.KEY, clock=lambda: forum.NOW)
    eraser.create_tables(engine)
    with engine.begin() as connection:
        connection.execute(insert(people), [{"email": "ada@example.org"}])
        connection.execute(insert(tokens), [{"person_id": 1}])
        first = eraser.close_account(connection, 1, actor="test")
        assert connection.scalar(select(func.count()).select_from(people)) == 0
        connection.execute(insert(people), [{"email": "grace@example.org"}])
        connection.execute(insert(tokens), [{"person_id": 1}])
        assert connection.scalar(select(people.c.id)) == 1

        finalized = eraser.finalize(connection, first)

        assert connection.scalar(select(func.count()).select_from(tokens)) == 1
        second = eraser.close_account(connection, 1, actor="test")

    assert finalized.late == 0
    assert finalized.search.is_clean
    assert not second.already_closed
    assert second.reference != first.reference
    engine.dispose()


def test_a_tombstones_key_given_out_again_is_an_open_account(engine):
    """The state is read from the row, never from our table by key."""
    first = close(engine)
    with engine.begin() as connection:
        connection.execute(update(Post).where(Post.author_id == 1).values(author_id=2))
        connection.execute(update(forum.Order).values(user_id=2))
        connection.execute(delete(User).where(User.id == 1))
        connection.execute(insert(User), [{"id": 1, "email": "new@example.org", "bio": ""}])

    with engine.begin() as connection:
        forum.eraser().finalize(connection, first)
    assert row(engine, 1).email == "new@example.org"

    second = close(engine, clock=lambda: forum.NOW + timedelta(seconds=1))
    assert not second.already_closed


@pytest.mark.parametrize("blank", ["", "   "])
def test_a_person_whose_every_identifier_is_blank_touches_nobody(engine, blank):
    with engine.begin() as connection:
        connection.execute(insert(User), [{"id": 5, "email": blank, "name": None, "bio": ""}])
        connection.execute(insert(Newsletter), [{"address": blank}])
        post = {"author_id": 5, "title": "t", "body": f"{blank} a {blank}", "details": None}
        connection.execute(insert(Post), [post])
    before = rows(engine)

    receipt = close(engine, 5)
    with engine.begin() as connection:
        finalized = forum.eraser().finalize(connection, receipt)

    after = rows(engine)
    assert {n for n in before if before[n] != after[n]} == {"users"}
    assert [u for u in before["users"] if u not in after["users"]] == [
        u for u in before["users"] if u[0] == 5
    ]
    assert finalized.search.is_clean


def test_ten_rounds_of_leaving_and_coming_back(engine):
    """pitfalls:P-01: a placeholder made from the address would collide the second time."""
    for number in range(10, 20):
        with engine.begin() as connection:
            forum.move_in(connection, number, "back@example.org", "Back Again")
        assert not close(engine, number).already_closed

    emails = [user.email for user in _rows(engine, User)]
    assert len(set(emails)) == 12


def test_the_time_is_kept_in_utc_and_to_the_second(engine):
    """T08, T14."""
    offset = timezone(timedelta(hours=5, minutes=30))
    odd = datetime(2026, 5, 4, 18, 0, 15, 987654, tzinfo=offset)

    receipt = close(engine, clock=lambda: odd)

    assert receipt.closed_at == forum.NOW
    assert receipt.closed_at.tzinfo == UTC
    assert as_utc(row(engine, 1).deleted_at) == forum.NOW


def test_the_number_of_statements_does_not_depend_on_rows(engine, monkeypatch):
    """laws:P24: at most two statements a table and six besides."""
    drivers = []

    class Counted(Cursor):
        def __init__(self, connection):
            super().__init__(connection)
            drivers.append(self)

    monkeypatch.setattr("efface.eraser.callers_transaction.Cursor", Counted)

    def statements(subject):
        drivers.clear()
        close(engine, subject)
        return drivers[-1].statement_count

    with engine.begin() as connection:
        post = {"author_id": 2, "title": "t", "body": "by Grace Hopper", "details": None}
        connection.execute(insert(Post), [post] * 300)
        connection.execute(insert(Token), [{"user_id": 2, "token": b"x"}] * 300)

    few, many = statements(1), statements(2)

    assert few == many <= 2 * 6 + 6


def test_objects_of_the_tables_touched_are_expired_and_no_others(engine):
    with Session(engine) as session:
        ada = session.get_one(User, 1)
        post = session.scalars(select(Post).where(Post.author_id == 1)).first()
        category = session.scalars(select(forum.Category)).one()

        forum.eraser().close_account(session, 1, actor="test")

        assert ada.name is None
        assert post.body == "Write to a former member or ask a former member."
        assert "title" in category.__dict__


def test_what_the_session_holds_back_is_written_first(engine):
    with Session(engine) as session:
        session.add(Post(author_id=1, title="t", body="Ada Lovelace again", details=None))

        receipt = forum.eraser().close_account(session, 1, actor="test")
        session.commit()

    assert next(s for s in receipt.steps if s.table == "posts").rows == 3
    assert "Lovelace" not in str([post.body for post in _rows(engine, Post)])


async def test_an_async_session_runs_the_same_code(engine, anyio_backend):
    # psycopg is both, under one name.
    name = engine.url.drivername.replace("pysqlite", "sqlite").split("+")[0]
    driver = {"sqlite": "sqlite+aiosqlite"}.get(name, engine.url.drivername)
    aio = create_async_engine(engine.url.set(drivername=driver))
    eraser = forum.eraser()
    async with AsyncSession(aio) as session:
        receipt = await session.run_sync(eraser.close_account, 1, actor="test")
        await session.commit()
        finalized = await session.run_sync(eraser.finalize, receipt)
        await session.commit()

        with pytest.raises(TypeError, match="run_sync"):
            eraser.close_account(session, 1, actor="test")
    await aio.dispose()

    assert finalized.search.is_clean
    assert row(engine, 1).name is None


def test_our_tables_missing_is_said_with_the_line_that_makes_them(database):
    forum.Base.metadata.create_all(database)

    with database.begin() as connection, pytest.raises(MissingTablesError) as caught:
        forum.eraser().plan(connection, 1)

    assert "eraser.create_tables(engine)" in str(caught.value)
    assert "op.create_efface_tables()" in str(caught.value)


def test_a_database_without_the_tombstone_is_said_with_the_line_that_adds_it(engine):
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE users DROP COLUMN deleted_at"))

    with engine.begin() as connection, pytest.raises(MissingDeletedAtError) as caught:
        forum.eraser().plan(connection, 1)

    assert 'op.add_deleted_at("users")' in str(caught.value)


def test_a_table_missing_in_the_database_is_an_error_without_values(engine):
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE newsletter"))

    with pytest.raises(StatementError) as caught:
        close(engine)

    assert caught.value.table == "newsletter"
    assert row(engine, 1).deleted_at is None


@pytest.mark.parametrize("actor", ["", "x" * 201, 7, None])
def test_an_actor_is_named_in_a_few_words(engine, actor):
    with engine.begin() as connection, pytest.raises(ValueError, match="1 to 200"):
        forum.eraser().close_account(connection, 1, actor=actor)


def test_a_short_key_is_refused():
    with pytest.raises(WeakSecretError):
        Eraser(Policy.from_metadata(forum.Base.metadata), secret="short")


def test_values_never_reach_the_statement_log(engine, caplog):
    """tutorial:G41: SQLAlchemy's echo prints parameters; the closing runs below it."""
    engine.echo = True

    close(engine)

    assert "ada@example.org" not in caplog.text
    assert "Lovelace" not in caplog.text


def test_application_defaults_do_not_ride_along():
    """An ``onupdate`` value belongs to the application's own writes."""
    metadata = MetaData()
    people = Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(20), personal(Clear())),
        Column("changed", Integer, onupdate=99),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(not_personal=["changed"]),
    )
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    eraser = Eraser(Policy.from_metadata(metadata), secret=forum.KEY)
    eraser.create_tables(engine)
    with engine.begin() as connection:
        connection.execute(insert(people), [{"id": 1, "name": "Ada", "changed": 1}])

        eraser.close_account(connection, 1, actor="test")

        assert connection.execute(select(people.c.name, people.c.changed)).one() == (None, 1)
    engine.dispose()


def test_begin_events_of_the_application_still_run(engine):
    begun = []
    event.listen(engine, "begin", lambda _: begun.append(1))

    with engine.connect() as connection:
        forum.eraser().close_account(connection, 1, actor="test")
        connection.commit()

    assert begun == [1]
