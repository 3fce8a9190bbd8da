"""Two users who share rows and leave at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text, select

from efface import Clear, Redact, ReplaceMentions, on_close, personal
from tests.eraser.real_databases import ADA, GRACE, ON_POSTGRESQL, add, close, created, users

ROUNDS, CHATS = 10, 40


@ON_POSTGRESQL
def test_both_accounts_are_closed_without_a_deadlock(database):
    """Each finds the rows by an index of its own, so in another order."""
    metadata = MetaData()
    people = users(metadata)
    chats = Table(
        "chats",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("a_id", ForeignKey("users.id"), index=True),
        Column("b_id", ForeignKey("users.id"), index=True),
        Column("a_name", Text, personal(Clear(), via="a_id")),
        Column("b_name", Text, personal(Clear(), via="b_id")),
        Column("body", Text, personal(ReplaceMentions("a former member"), via="a_id")),
        on_close(Redact(), via="a_id"),
        on_close(Redact(), via="b_id"),
    )
    eraser = created(metadata, database)
    pairs = [(2 * n + 1, 2 * n + 2) for n in range(ROUNDS)]
    keys = [key for pair in pairs for key in pair]
    add(database, people, *({"id": key, "email": f"{key}.{ADA}"} for key in keys))
    add(
        database,
        chats,
        *(
            {
                # The one finds them from the first to the last, and the other the other way round.
                "a_id": pair[n % 2],
                "b_id": pair[1 - n % 2],
                "a_name": "Ada",
                "b_name": "Grace",
                "body": f"{pair[0]}.{ADA} and {pair[1]}.{ADA}, not {GRACE}",
            }
            for pair in pairs
            for n in range(CHATS)
        ),
    )
    together = Barrier(2, timeout=30)

    def leave(key):
        together.wait()
        return close(database, eraser, key)

    with ThreadPoolExecutor(2) as threads:
        for pair in pairs:
            assert all(receipt.rows for receipt in threads.map(leave, pair))

    with database.connect() as connection:
        names = select(chats.c.a_name, chats.c.b_name).distinct()
        assert connection.execute(names).all() == [(None, None)]
