"""The person in the middle leaves Lobsters at full size, against hand-written SQL on PostgreSQL."""

import os
from collections.abc import Iterator
from contextlib import suppress
from statistics import median

import psycopg
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import OperationalError

from benchmarks import lobsters_byhand
from benchmarks.closing import DifferentEffectError, interleaved
from benchmarks.measure import Measure
from efface import Eraser, Policy
from tests.support.databases import database_on
from tests.support.schemas.lobsters.loading import load
from tests.support.schemas.lobsters.policy import UNNAMED, leaving
from tests.support.schemas.lobsters.rows import tables
from tests.support.schemas.lobsters.schema import lobsters
from tests.support.schemas.lobsters.world import FULL, World

SERVER = os.environ.get("EFFACE_BENCH_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres")
SIZE = float(os.environ.get("LOBSTERS_SIZE") or 1)
KEY = "a key of the benchmark"
SECRET = KEY.encode()
ROUNDS = 170
ALLOWED = 1.5

# Static decisions alone, as in the published removal; and every text edited instead.
POLICIES = {False: leaving(naming=None), True: leaving(UNNAMED, UNNAMED, UNNAMED)}

# What may be left of nobody, and what of everybody. The first two depend on the policy.
STORIES = """SELECT count(*) FROM stories JOIN story_texts USING (id) WHERE user_id = %(id)s AND
    (title <> '[removed]' OR coalesce(url, description, markeddown_description) IS NOT NULL
    OR body <> '[removed]')"""
NAMED = """SELECT count(*) FROM stories JOIN story_texts USING (id) WHERE user_id = %(id)s AND
    (description ~ %(name)s OR url ~ %(name)s OR body ~ %(name)s)"""
EFFECT = (
    "SELECT count(*) FROM comments WHERE user_id = %(id)s AND hat_id IS NOT NULL",
    """SELECT count(*) FROM comments WHERE user_id = %(id)s AND
    (comment ~ %(name)s OR markeddown_comment ~ %(name)s)""",
    "SELECT count(*) FROM messages WHERE author_user_id = %(id)s AND body ~ %(name)s",
    "SELECT count(*) FROM messages WHERE author_user_id = %(id)s AND NOT deleted_by_author",
    "SELECT count(*) FROM messages WHERE recipient_user_id = %(id)s AND NOT deleted_by_recipient",
    *(f"SELECT count(*) FROM {t} WHERE user_id = %(id)s" for t in lobsters_byhand.PRIVATE),
    "SELECT count(*) FROM invitations WHERE new_user_id = %(id)s AND email IS NOT NULL",
    "SELECT count(*) FROM invitation_requests WHERE name = %(plain)s",
    """SELECT count(*) FROM users WHERE id = %(id)s AND (deleted_at IS NULL OR karma <> 0 OR
    email NOT LIKE 'anonymized-%%@users.invalid' OR username NOT LIKE 'former-%%' OR
    coalesce(about, settings, rss_token, password_digest) IS NOT NULL)""",
)


def against_hand_written() -> Iterator[Measure]:
    if not answers():
        print("No PostgreSQL: start one, or name it in EFFACE_BENCH_POSTGRESQL.")
        return
    with database_on(make_url(SERVER).set(drivername="postgresql+psycopg"), _name()) as url:
        engine = create_engine(url)
        world = World(FULL.scaled(SIZE))
        metadata = lobsters(POLICIES[False])
        load(engine, metadata, tables(world))
        Eraser(Policy.from_metadata(metadata), secret=KEY).create_tables(engine)
        middle = the_middle(world, 4 * ROUNDS)
        with psycopg.connect(_plain(url), autocommit=True) as connection:
            for edit, keys in ((False, middle[::2]), (True, middle[1::2])):
                yield measured(engine, connection, world, keys, edit=edit)
        engine.dispose()


def measured(
    engine: Engine, connection: psycopg.Connection, world: World, keys: list[int], *, edit: bool
) -> Measure:
    """Close the accounts of *keys*, by turns, and return the ratio."""
    eraser = Eraser(Policy.from_metadata(lobsters(POLICIES[edit])), secret=KEY)

    def efface(key: int) -> None:
        with engine.begin() as transaction:
            eraser.close_account(transaction, key, actor="benchmark")

    def by_hand(key: int) -> None:
        lobsters_byhand.close_account(connection, key, secret=SECRET, edit=edit)

    ours, theirs = (median(each) * 1000 for each in interleaved(keys, efface, by_hand))
    queries = (NAMED if edit else STORIES, *EFFECT)
    if any(any(effect(connection, queries, key, world.names[key])) for key in keys):
        raise DifferentEffectError
    how = "ReplaceMentions in every text" if edit else "Lobsters removal, the person in the middle"
    return Measure(
        f"{how}, PostgreSQL, to hand-written SQL",
        ours / theirs,
        ALLOWED,
        f"{ours:.2f} to {theirs:.2f} ms",
    )


def effect(
    connection: psycopg.Connection, queries: tuple[str, ...], key: int, name: str
) -> list[int]:
    """Return how much is left of a person, by query; nothing is, whoever closed the account."""
    values = {"id": key, "plain": name, "name": rf"\m{name}\M"}
    return [connection.execute(query, values).fetchone()[0] for query in queries]


def the_middle(world: World, number: int) -> list[int]:
    """Return so many members around the one in the middle, by activity, in random order."""
    # Hats are for one in fifty, and the person in the middle is none of these.
    plain = [member for member in world.by_activity if member not in world.hats]
    start = (len(plain) - number) // 2
    members = plain[start : start + number]
    world.random.shuffle(members)
    return members


def answers() -> bool:
    """Return whether the server is there."""
    with suppress(OperationalError):
        create_engine(make_url(SERVER).set(drivername="postgresql+psycopg")).connect().close()
        return True
    return False


def _name() -> str:
    return f"efface_lobsters_{os.getpid()}"


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
