"""A text that two people have to do with: each link has a decision of its own for it."""

import pytest
from sqlalchemy import insert, select

from efface import (
    Clear,
    Eraser,
    Placeholder,
    Policy,
    Redact,
    ReplaceMentions,
    data_subject,
    not_personal,
    on_close,
    personal,
)
from tests.support.schemas.lobsters.tables import build

KEY = "a key for tests, long enough"
TABLES = """
people
    id key, name text60 unique, deleted_at? moment
letters
    id key, sender_id big -> people index, recipient_id big -> people index, subject text100,
    body? text, note? text
"""
UNNAMED = ReplaceMentions("a former member")
MARKS = {
    "people": [data_subject(identifiers=["name"])],
    "people.name": [personal(Placeholder())],
    "letters": [on_close(Redact(), via="sender_id"), on_close(Redact(), via="recipient_id")],
    # Whoever wrote it takes it along; whoever got it is only no longer named.
    "letters.body": [
        personal(Clear(), via="sender_id"),
        personal(UNNAMED, via="recipient_id"),
    ],
    "letters.note": [
        personal(UNNAMED, via="recipient_id"),
        personal(UNNAMED, via="sender_id"),
    ],
    "letters.subject": [not_personal()],
}
ADA, GRACE = 1, 2


class Post:
    """Ada, Grace, and letters."""

    def __init__(self, engine):
        self.engine, self.metadata = engine, build(TABLES, MARKS)
        self.metadata.create_all(engine)
        self.eraser = Eraser(Policy.from_metadata(self.metadata), secret=KEY)
        self.eraser.create_tables(engine)
        people = [{"id": ADA, "name": "Ada Lovelace"}, {"id": GRACE, "name": "Grace Hopper"}]
        with engine.begin() as connection:
            connection.execute(insert(self.metadata.tables["people"]), people)

    def send(self, sender, recipient):
        letter = {
            "sender_id": sender,
            "recipient_id": recipient,
            "subject": "hello",
            "body": "Dear Ada Lovelace, dear Grace Hopper",
            "note": "from Ada Lovelace or Grace Hopper",
        }
        with self.engine.begin() as connection:
            connection.execute(insert(self.metadata.tables["letters"]), [letter])

    def close(self, person):
        with self.engine.begin() as connection:
            receipt = self.eraser.close_account(connection, person, actor="test")
        with self.engine.begin() as connection:
            return self.eraser.finalize(connection, receipt)

    def texts(self):
        letters = self.metadata.tables["letters"]
        query = select(letters.c.body, letters.c.note).order_by(letters.c.id)
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]


@pytest.fixture
def post(database):
    return Post(database)


def test_a_letter_of_the_leaver_goes_and_one_to_them_stays_without_their_name(post):
    post.send(ADA, GRACE)
    post.send(GRACE, ADA)

    search = post.close(ADA).search

    assert post.texts() == [
        (None, "from a former member or Grace Hopper"),
        ("Dear a former member, dear Grace Hopper", "from a former member or Grace Hopper"),
    ]
    assert search.is_clean


def test_a_letter_to_oneself_goes_and_is_not_written_back(post):
    """The stronger of the two decisions holds, and no edit of an older text undoes it."""
    post.send(ADA, ADA)

    post.close(ADA)

    assert post.texts() == [(None, "from a former member or Grace Hopper")]


def test_both_leave_one_after_the_other(post):
    post.send(ADA, GRACE)

    post.close(GRACE)
    post.close(ADA)

    assert post.texts() == [(None, "from a former member or a former member")]


@pytest.mark.laws("P18")
def test_the_plan_counts_a_row_once(post):
    post.send(ADA, GRACE)
    post.send(GRACE, ADA)
    post.send(ADA, ADA)
    with post.engine.begin() as connection:
        planned = {s.table: s.rows for s in post.eraser.plan(connection, ADA).steps}

    done = {s.table: s.rows for s in post.close(ADA).steps}

    assert planned == done == {"letters": 3, "people": 1}
