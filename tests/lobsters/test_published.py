"""The golden outcome: what a published removal leaves of a person, and that the search says so."""

from itertools import permutations

import pytest
from sqlalchemy import func, select

from efface import Eraser, Policy
from tests.support.schemas.lobsters import published, three

KEY = "a key for tests, long enough"

LEFT = {
    ("hats", "hat"): 2,
    ("hats", "link"): 2,
    ("invitation_requests", "code"): 1,
    ("invitation_requests", "email"): 1,
    ("invitation_requests", "ip_address"): 1,
    ("invitation_requests", "memo"): 1,
    ("invitation_requests", "name"): 1,
    ("messages", "body"): 2,
    ("messages", "subject"): 2,
    ("mod_notes", "action"): 2,
    ("mod_notes", "reason"): 2,
    ("moderations", "action"): 2,
    ("moderations", "reason"): 2,
    ("stories", "description"): 2,
    ("stories", "markeddown_description"): 2,
    ("stories", "story_cache"): 2,
    ("stories", "twitter_id"): 2,
}
# Rows before, and after one, two and three have left. The site's own rows are not in it.
ROWS = {
    "comments": (18, 18, 18, 18),
    "hat_requests": (3, 2, 1, 0),
    "hidden_stories": (9, 6, 3, 0),
    "invitation_requests": (3, 3, 3, 3),
    "invitations": (3, 2, 1, 0),
    "keystores": (0, 0, 0, 0),
    "mod_notes": (6, 6, 6, 6),
    "moderations": (6, 6, 6, 6),
    "read_ribbons": (9, 6, 3, 0),
    "saved_stories": (9, 6, 3, 0),
    "stories": (6, 6, 6, 6),
    "suggested_taggings": (3, 2, 1, 0),
    "suggested_titles": (3, 2, 1, 0),
    "tag_filters": (3, 2, 1, 0),
    "taggings": (6, 6, 6, 6),
    "tags": (1, 1, 1, 1),
    "votes": (18, 18, 18, 18),
    # A made-up person for each row that stays makes 32, 57 and 78 of these; a tombstone, none.
    "users": (3, 3, 3, 3),
    # There a shared row goes with the last of its people; no action of ours says that.
    "hats": (6, 6, 6, 6),
    "messages": (6, 6, 6, 6),
}


class Site:
    """The three members under one of the policies."""

    def __init__(self, engine, metadata):
        self.engine, self.metadata = engine, metadata
        self.eraser = Eraser(Policy.from_metadata(metadata), secret=KEY)
        metadata.create_all(engine)
        self.eraser.create_tables(engine)
        with engine.begin() as connection:
            three.move_in(connection, metadata)

    def close(self, person):
        with self.engine.begin() as connection:
            receipt = self.eraser.close_account(connection, person, actor="test")
        with self.engine.begin() as connection:
            return self.eraser.finalize(connection, receipt)

    def counts(self):
        with self.engine.begin() as connection:
            return {
                table.name: connection.scalar(select(func.count()).select_from(table))
                for table in self.metadata.sorted_tables
            }

    def rows(self):
        with self.engine.begin() as connection:
            return {
                table.name: {
                    row.id: dict(row._mapping) for row in connection.execute(select(table))
                }
                for table in self.metadata.sorted_tables
                if "id" in table.c
            }


@pytest.fixture
def removal(database):
    return Site(database, published.removal())


@pytest.fixture
def repaired(database):
    return Site(database, published.repaired())


def test_the_search_reports_the_seventeen_columns_that_a_published_policy_forgets(removal):
    search = removal.close(1).search

    assert {(f.table, f.column): f.rows for f in search.findings} == LEFT


def test_rows_go_and_stay_as_published(removal):
    counts = [removal.counts()]

    for person in three.PEOPLE:
        removal.close(person)
        counts.append(removal.counts())

    assert {table: tuple(each[table] for each in counts) for table in ROWS} == ROWS


def test_the_repaired_policy_leaves_nothing(repaired):
    search = repaired.close(1).search

    assert search.is_clean
    assert search.columns > len(LEFT)


@pytest.mark.laws("P4")
def test_the_repaired_policy_takes_no_word_of_anybody_else(repaired):
    before = repaired.rows()

    repaired.close(1)

    after = repaired.rows()
    theirs = {
        (table, key)
        for table, rows in before.items()
        for key, row in rows.items()
        if three.marker(1) not in str(row) and 1 not in people_of(row)
    }
    assert len(theirs) > 60
    assert all(after[table][key] == before[table][key] for table, key in theirs)


@pytest.mark.slow
@pytest.mark.laws("P2")
def test_it_does_not_matter_who_leaves_first(database):
    """Placeholders are random; everything else is equal, whatever the order."""
    ends = []
    for order in permutations(three.PEOPLE):
        site = Site(database, published.repaired())
        for person in order:
            site.close(person)
        ends.append(without_chance(site.rows()))
        site.metadata.drop_all(database)

    assert len(ends) == 6
    assert all(end == ends[0] for end in ends)


def people_of(row):
    """Return the members whom a row refers to."""
    return [value for name, value in row.items() if name.endswith("user_id")]


def without_chance(tables):
    """Return the rows without random values and moments."""
    return {
        table: {
            key: {
                name: "(random)" if str(value).startswith(("gone-", "anonymized-")) else value
                for name, value in row.items()
                if name != "deleted_at"
            }
            for key, row in rows.items()
        }
        for table, rows in tables.items()
    }
