"""Tables and columns that are gone when an account is closed, and types that nobody knows."""

import pytest
from sqlalchemy import text

from efface import Clear, Eraser, Placeholder, Policy, data_subject, personal
from efface.errors import SchemaMismatchError
from efface.policy.schema_drift import reflect
from tests.eraser.real_databases import ADA, ON_POSTGRESQL, SECRET, run
from tests.support.schemas import forum

ALTERED = [
    "ALTER TABLE posts DROP COLUMN ip",
    "ALTER TABLE posts RENAME COLUMN author_id TO writer_id",
    "ALTER TABLE users DROP COLUMN bio",
    "ALTER TABLE users DROP COLUMN deleted_at",
    "DROP TABLE newsletter",
]


@pytest.mark.parametrize("statement", ALTERED)
def test_what_is_gone_since_the_last_closing_stops_the_next_one(database, statement):
    forum.create(database)
    eraser = forum.eraser()
    with database.begin() as connection:
        eraser.close_account(connection, 1, actor="test")
    run(database, statement)
    before = everything(database)

    with (
        pytest.raises(SchemaMismatchError, match="othing was changed") as caught,
        database.begin() as connection,
    ):
        eraser.close_account(connection, 2, actor="test")

    assert "grace" not in str(caught.value).lower()
    assert everything(database) == before


def everything(engine):
    names = ("users", "users_tokens", "posts", "orders", "invoices", "efface_closings")
    with engine.connect() as connection:
        return {
            name: sorted(map(repr, connection.execute(text(f"SELECT * FROM {name}"))))
            for name in names
        }


ODD = (
    "CREATE TYPE mood AS ENUM ('calm', 'odd')",
    "CREATE TYPE pair AS (number int, word text)",
    "CREATE TYPE stretch AS RANGE (subtype = float8)",
    (
        "CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE, mood mood, pair pair, "
        "stretch stretch, words tsvector, place point, deleted_at timestamptz)"
    ),
    (
        f"INSERT INTO users VALUES (1, '{ADA}', 'odd', row(1, 'ada'), '[1,2]', "
        "to_tsvector('ada'), '(1,2)')"
    ),
)


@ON_POSTGRESQL
@pytest.mark.postgresql
def test_types_that_sqlalchemy_does_not_know_are_cleared(database):
    run(database, *ODD)
    people = reflect(database).tables["users"]
    personal(Placeholder.email())._set_parent(people.c.email)
    for name in ("mood", "pair", "stretch", "words", "place"):
        personal(Clear())._set_parent(people.c[name])
    data_subject(identifiers=["email"])._set_parent(people)
    eraser = Eraser(Policy.from_metadata(people.metadata), secret=SECRET)
    eraser.create_tables(database)

    assert eraser.check() == ()
    with database.begin() as connection:
        receipt = eraser.close_account(connection, 1, actor="test")
    with database.begin() as connection:
        assert eraser.finalize(connection, receipt).search.is_clean

    with database.connect() as connection:
        row = connection.execute(text("SELECT * FROM users")).one()
    assert set(row[2:-1]) == {None}
