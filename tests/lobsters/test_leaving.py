"""Our policy on the whole site, at a small size: nothing is left, and nobody else has changed."""

import pytest
from sqlalchemy import select, text

from benchmarks import demo_lobsters
from efface import Eraser, Policy
from tests.support.schemas.lobsters.histograms import VOTES_PER_MEMBER
from tests.support.schemas.lobsters.loading import load
from tests.support.schemas.lobsters.others import checksums, differences
from tests.support.schemas.lobsters.policy import UNNAMED, leaving
from tests.support.schemas.lobsters.rows import tables
from tests.support.schemas.lobsters.schema import TABLES, lobsters
from tests.support.schemas.lobsters.tables import undeclared
from tests.support.schemas.lobsters.world import World

pytestmark = pytest.mark.slow
KEY = "a key for tests, long enough"
EVERY_TEXT_EDITED = leaving(UNNAMED, UNNAMED, UNNAMED)


class Site:
    """The small site under one policy."""

    def __init__(self, engine, marks):
        self.engine, self.world, self.metadata = engine, World(), lobsters(marks)
        load(engine, self.metadata, tables(self.world))
        self.eraser = Eraser(Policy.from_metadata(self.metadata), secret=KEY)
        self.eraser.create_tables(engine)

    def close(self, person):
        with self.engine.begin() as connection:
            receipt = self.eraser.close_account(connection, person, actor="test")
        with self.engine.begin() as connection:
            return self.eraser.finalize(connection, receipt)

    def others(self, person):
        return checksums(self.engine, {"id": person, "email": self.world.emails[person]})


@pytest.fixture
def site(database):
    return Site(database, leaving())


def who(world):
    """Return one of each kind: the busiest, a moderator, somebody with a hat, and the rest."""
    return [world.heaviest, world.moderators[0], list(world.hats)[1], *world.by_activity[-2:]]


def test_check_has_nothing_to_say():
    assert Eraser(Policy.from_metadata(lobsters(leaving())), secret=KEY).check() == ()


@pytest.mark.laws("P4", "P5")
@pytest.mark.parametrize("marks", [leaving(), EVERY_TEXT_EDITED], ids=["removed", "edited"])
def test_nothing_is_left_of_whoever_leaves_and_nobody_else_has_changed(database, marks):
    site = Site(database, marks)

    for person in who(site.world):
        before = site.others(person)
        search = site.close(person).search

        assert search.findings == ()
        assert differences(before, site.others(person)) == {}


@pytest.mark.laws("P18")
def test_the_plan_counts_what_then_happens(site):
    person = site.world.moderators[0]
    with site.engine.begin() as connection:
        plan = site.eraser.plan(connection, person)

    receipt = site.close(person)

    assert [(s.table, s.rows) for s in receipt.steps] == [(s.table, s.rows) for s in plan.steps]
    assert receipt.late == 0


@pytest.mark.laws("P6")
def test_every_reference_still_leads_somewhere(site):
    """PostgreSQL has checked that itself, at the end of every statement."""
    for person in who(site.world):
        site.close(person)

    if site.engine.dialect.name == "sqlite":
        with site.engine.connect() as connection:
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    comments, users = (site.metadata.tables[name] for name in ("comments", "users"))
    orphans = select(comments.c.id).where(comments.c.user_id.not_in(select(users.c.id)))
    with site.engine.connect() as connection:
        assert connection.execute(orphans).all() == []


def test_a_change_to_somebody_else_is_seen(site):
    before = site.others(1)
    with site.engine.begin() as connection:
        connection.execute(text("UPDATE votes SET vote = 0 WHERE id = 7"))
        connection.execute(text("DELETE FROM keystores WHERE key = 'user:2:comments_posted'"))

    changed = differences(before, site.others(1))

    assert changed.keys() == {"votes", "keystores"}


# ---------------------------------------------------------------- the data


def test_the_same_seed_makes_the_same_rows():
    first, second = ({name: list(rows) for name, rows in tables(World(seed=3))} for _ in range(2))

    assert first == second
    assert first != {name: list(rows) for name, rows in tables(World(seed=4))}


def test_people_are_as_busy_as_the_real_ones():
    counts = VOTES_PER_MEMBER.spread(16_000)

    assert counts == sorted(counts)
    # The busiest real member cast 15,100 votes or more, and the one in the middle fewer than 100.
    assert counts[-1] > 15_100
    assert counts[8_000] < 100
    assert 180 < sum(counts) / len(counts) < 200


def test_rows_fit_their_tables():
    metadata = lobsters()
    for name, rows in tables(World()):
        columns = list(metadata.tables[name].columns)
        for row in rows:
            assert len(row) == len(columns)
            for column, value in zip(columns, row, strict=True):
                assert value is not None or column.nullable, f"{name}.{column.name}"
                length = getattr(column.type, "length", None)
                assert length is None or value is None or len(value) <= length


def test_six_references_are_unknown_to_the_database_and_three_of_them_lead_to_people():
    to_people = {place for place, table in undeclared(TABLES).items() if table == "users"}

    assert len(undeclared(TABLES)) == 6
    assert to_people == {
        "domains.banned_by_user_id",
        "messages.author_user_id",
        "moderations.user_id",
    }


# ---------------------------------------------------------------- the demo


def test_the_demo_says_clean(monkeypatch, capsys):
    monkeypatch.setenv("LOBSTERS_SIZE", "0.005")
    monkeypatch.delenv("LOBSTERS_DATABASE_URL", raising=False)

    status = demo_lobsters.main(leaving())

    assert status == 0
    assert capsys.readouterr().out.splitlines()[-1] == "clean"


def test_the_demo_fails_and_names_what_is_left(monkeypatch, capsys):
    monkeypatch.setenv("LOBSTERS_SIZE", "0.005")
    monkeypatch.delenv("LOBSTERS_DATABASE_URL", raising=False)

    status = demo_lobsters.main(leaving(naming=None))

    assert status == 1
    assert "still found in messages.body" in capsys.readouterr().out


@pytest.mark.timeout(400)
def test_the_demo_at_its_full_size(monkeypatch, capsys):
    monkeypatch.delenv("LOBSTERS_SIZE", raising=False)
    monkeypatch.delenv("LOBSTERS_DATABASE_URL", raising=False)

    status = demo_lobsters.main(leaving())

    assert status == 0
    assert "300,000  comments" in capsys.readouterr().out
