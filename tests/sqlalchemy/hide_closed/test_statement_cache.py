"""Statements that SQLAlchemy keeps are hidden and shown by turns."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from sqlalchemy import (
    Integer,
    TypeDecorator,
    event,
    func,
    insert,
    lambda_stmt,
    literal,
    select,
    update,
)
from sqlalchemy.orm import Session, defer, join, registry, sessionmaker

from efface.errors import UnfilteredStatementError
from efface.sqlalchemy import hide_closed, include_closed, statement_filter
from tests.sqlalchemy.hide_closed.forum_people import ADA, GRACE, POLICY
from tests.support.schemas.forum import Category, Order, Post, User


def test_one_statement_is_hidden_and_shown_by_turns(session):
    """SQLAlchemy caches what it compiled, and we what a statement needs."""
    query = select(User.id).order_by(User.id)
    shown = query.execution_options(include_closed=True)

    found = [session.scalars(each).all() for each in (query, shown, query, shown, query)]

    assert found == [[GRACE], [ADA, GRACE], [GRACE], [ADA, GRACE], [GRACE]]


def test_threads_do_not_mix_hidden_and_shown(engine):
    maker = sessionmaker(engine)
    hide_closed(maker, POLICY)
    query = select(User.id).order_by(User.id)

    def look(asks):
        with maker() as session, include_closed() if asks else nullcontext():
            return [session.scalars(query).all() for _ in range(20)]

    with ThreadPoolExecutor(4) as pool:
        asked = list(pool.map(look, [True, False] * 4))

    assert asked == [[[ADA, GRACE]] * 20, [[GRACE]] * 20] * 4


def test_sql_is_compiled_once_for_a_session_that_hides_and_once_for_one_that_does_not(engine):
    maker, cache = sessionmaker(), {}
    hide_closed(maker, POLICY)

    with engine.connect().execution_options(compiled_cache=cache) as connection:
        found = [
            [sessions(bind=connection).get(User, key) is not None for key in (ADA, GRACE)]
            for sessions in (maker, Session, maker, Session)
        ]

    assert found == [[False, True], [True, True]] * 2
    assert len(cache) == 2


@pytest.mark.parametrize(
    "statement",
    [
        select(Order).where(Order.id == 11),
        select(Order.note, Category.title).join(Category, Category.id == Order.id),
        select(Post).options(defer(Post.body)),
        update(Order).values(note="x").where(Order.id == 11),
        insert(Category).values(title="x"),
        insert(User).values(id=9, email="x@example.org", bio=""),
        select(User.__table__),
    ],
)
def test_a_statement_that_cannot_show_people_is_left_as_it_is(engine, statement):
    maker = sessionmaker(engine)
    hide_closed(maker, POLICY)
    run = []
    event.listen(maker, "do_orm_execute", lambda state: run.append(state.statement))

    with maker() as session:
        session.execute(statement)

    assert run[-1] is statement or run[-1].compare(statement)
    assert not run[-1]._with_options or run[-1]._with_options == statement._with_options


def test_shapes_are_forgotten_when_there_are_too_many(session, monkeypatch):
    monkeypatch.setattr(statement_filter, "MAX_SHAPES", 3)

    for number in range(1, 9):
        columns = [User.id.label(f"id_{i}") for i in range(number)]
        assert session.scalars(select(*columns)).all() == [GRACE]


class Opaque(TypeDecorator):
    """A type that does not say whether statements with it may be cached."""

    impl = Integer


@pytest.mark.filterwarnings("ignore:.*will not produce a cache key")
def test_a_statement_without_a_key_is_filtered_too(session):
    for where in (User.id == literal(ADA, Opaque()), Post.author.has(User.id == ADA)):
        query = select(func.count(Post.id)).join(User).where(where)
        assert session.scalar(query.where(literal(1, Opaque()) == 1)) == 0
    assert session.scalar(select(func.count(Order.id)).where(literal(1, Opaque()) == 1)) == 4


def test_a_class_that_is_mapped_later_is_hidden_too(session):
    assert session.scalars(select(User.id)).all() == [GRACE]

    class Member(registry().generate_base()):
        __table__ = User.__table__

    assert session.scalars(select(Member.id)).all() == [GRACE]
    assert session.get(Member, ADA) is None


def test_a_class_may_leave_the_tombstone_out(session):
    class Reader(registry().generate_base()):
        __table__ = User.__table__
        __mapper_args__ = {"exclude_properties": ["deleted_at"]}  # noqa: RUF012

    with include_closed():
        held = session.get(Reader, ADA)

    assert session.get(Reader, ADA) is None
    assert held.id == ADA
    assert session.scalars(select(Reader.id)).all() == [GRACE]
    with pytest.raises(UnfilteredStatementError):
        session.scalars(select(Post.id).select_from(join(Post, Reader, Reader.id == Post.id)))


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Session, "_get_impl"),
        (select(User), "_generate_cache_key"),
        (select(User), "_generate"),
        (select(User), "_with_options"),
        (lambda_stmt(lambda: select(User)), "_resolved"),
        (select(User.id).selected_columns.id, "_annotations"),
    ],
)
def test_what_is_private_in_sqlalchemy_and_has_no_public_way_is_there(owner, name):
    assert hasattr(owner, name)
