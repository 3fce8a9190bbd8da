"""laws:P11: two transactions in every order of their steps; afterwards nothing is left behind."""

from contextlib import closing as find_receipt

import pytest
from sqlalchemy import func, insert, select, update

from efface import Receipt
from efface.errors import RetryError
from efface.store.efface_tables import closings
from tests.failures.conftest import named
from tests.failures.lanes import Lanes, orders, run
from tests.support.schemas import forum
from tests.support.schemas.forum import Newsletter, Post, Token, User

pytestmark = [pytest.mark.laws("P11"), pytest.mark.slow]

NEW = "ada.new@example.org"
SESSION = insert(Token).values(user_id=1, token=b"late", sent_to="ada@example.org")
WRITES = {
    "rows by reference": [
        SESSION,
        insert(Post).values(author_id=1, title="t", body="by Ada Lovelace", ip="192.0.2.9"),
    ],
    "a row by value": [insert(Newsletter).values(address="ada@example.org")],
    "a new address, and a row by it": [
        update(User).where(User.id == 1).values(email=NEW, name="Ada King"),
        insert(Newsletter).values(address=NEW),
    ],
}


@pytest.fixture
def fresh(isolated):
    """Call it to have Ada and Grace move in anew."""
    tables = [*reversed(forum.Base.metadata.sorted_tables), closings]

    def begin_again():
        with isolated.begin() as connection:
            for table in tables:
                connection.execute(table.delete())
            forum.move_in(connection, 1, "ada@example.org", "Ada Lovelace")
            forum.move_in(connection, 2, "grace@example.org", "Grace Hopper")

    return begin_again


def look(connection):
    """Begin the transaction by reading, as most requests do."""
    return connection.scalar(select(func.count()).select_from(User.__table__))


def commit(connection):
    connection.commit()


def closing(eraser, subject=1):
    """The steps of a request that closes an account."""
    return [look, lambda c: eraser.close_account(c, subject, actor="test"), commit]


def batch(eraser, subjects):
    """The steps of a job that closes several."""
    return [look, lambda c: eraser.close_accounts(c, subjects, actor="test"), commit]


def writing(statements):
    """The steps of a request that writes for Ada."""

    def write(connection):
        for statement in statements:
            connection.execute(statement)

    return [look, write, commit]


def finish(lane):
    """Run a closing again that was told to, and return its receipt."""
    if lane.error is not None:
        # A commit is the application's own, and so is what it raises.
        state = getattr(getattr(lane.error, "orig", None), "sqlstate", None)
        assert isinstance(lane.error, RetryError) or state == "40001", lane.error
        lane.once_more()
    return lane.results[1]


@pytest.mark.parametrize("what", sorted(WRITES))
def test_what_is_written_meanwhile_is_refused_or_erased(isolated, fresh, what):
    eraser, outcomes = forum.eraser(), set()
    for order in orders(3, 3):
        fresh()
        scripts = [closing(eraser), writing(WRITES[what])]

        with run(isolated, scripts, order) as (closer, writer):
            receipt = finish(closer)
            outcomes.add("refused" if writer.error else "written")
        with isolated.begin() as connection:
            finalized = eraser.finalize(connection, receipt)

        # Whoever has a new address before the closing is not known by the old one any more.
        assert named(isolated, ("ada.new@", "ada king")) == set(), order
        if "new address" not in what:
            assert named(isolated) == set(), order
        assert finalized.search.is_clean, order
        with isolated.connect() as connection:
            grace = connection.execute(select(User.__table__).where(User.id == 2)).one()
        assert grace.email == "grace@example.org"
    assert "written" in outcomes


def test_two_closings_at_once_are_one(isolated, fresh):
    for order in orders(3, 3):
        fresh()
        eraser = forum.eraser()

        with run(isolated, [closing(eraser), closing(eraser)], order) as lanes:
            receipts = [finish(lane) for lane in lanes]

        assert receipts[0] == receipts[1]
        assert sorted(receipt.already_closed for receipt in receipts) == [False, True]
        with isolated.connect() as connection:
            assert connection.scalar(select(func.count()).select_from(closings)) == 1
        assert named(isolated) == set()


def test_batches_that_overlap_do_not_wait_for_each_other_in_a_circle(isolated, fresh):
    """Each locks in the order of the keys, whichever order they were given in."""
    for order in orders(3, 3):
        fresh()
        eraser = forum.eraser()
        scripts = [batch(eraser, [1, 2]), batch(eraser, [2, 1])]

        with run(isolated, scripts, order) as lanes:
            deadlocks = [lane for lane in lanes if getattr(lane.error, "sqlstate", "") == "40P01"]
            batches = [finish(lane) for lane in lanes]

        assert deadlocks == []
        assert sorted(each.closed for each in batches) == [0, 2]
        assert [r.reference for r in batches[0].receipts] == [
            r.reference for r in reversed(batches[1].receipts)
        ]
        assert named(isolated) == set()


def test_a_batch_waits_for_the_smallest_key_before_it_holds_any(server):
    """Somebody holds Ada's row. Of two batches that wait for it, neither holds Grace's."""
    eraser = forum.eraser()
    scripts = [batch(eraser, [1, 2]), batch(eraser, [2, 1])]
    free = select(User.id).where(User.id == 2).with_for_update(nowait=True)

    with server.connect() as holder, find_receipt(Lanes(server, scripts)) as lanes:
        holder.execute(select(User.id).where(User.id == 1).with_for_update())
        lanes.go(0, 0, 1, 1)

        assert all(lane.running for lane in lanes)
        assert holder.scalar(free) == 2

        holder.rollback()
        lanes.drain()
        assert sorted(lane.results[1].closed for lane in lanes) == [0, 2]


def test_settling_twice_at_once_counts_once(isolated, fresh):
    for order in orders(3, 3):
        fresh()
        eraser = forum.eraser()
        with isolated.begin() as connection:
            receipt = eraser.close_account(connection, 1, actor="test")
        with isolated.begin() as connection:
            connection.execute(SESSION)
        script = [look, lambda c: eraser.finalize(c, receipt), commit]  # noqa: B023  # runs at once

        with run(isolated, [script, script], order) as lanes:
            finalized = [finish(lane) for lane in lanes]

        assert [each.late for each in finalized] == [1, 1]
        assert named(isolated) == set()


def test_a_search_is_not_lost_to_another_process_that_settles_at_once(isolated, fresh):
    """Only one of the two remembers whom to look for; the other must not store its ignorance."""
    for order in orders(3, 3):
        fresh()
        eraser = forum.eraser()
        with isolated.begin() as connection:
            remembered = eraser.close_account(connection, 1, actor="test")
        forgotten = Receipt.from_json(remembered.to_json())
        scripts = [
            [look, lambda c, r=receipt: eraser.finalize(c, r), commit]  # noqa: B023  # runs at once
            for receipt in (remembered, forgotten)
        ]

        with run(isolated, scripts, order) as lanes:
            for lane in lanes:
                finish(lane)

        with isolated.connect() as connection:
            stored = Receipt.from_json(connection.scalar(select(closings.c.receipt)))
        assert stored.search is not None, order
        assert stored.search.is_clean
