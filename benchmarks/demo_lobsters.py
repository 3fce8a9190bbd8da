"""The busiest of 16,000 members leaves a real site, and we look at what is left, and of whom.

SQLite in a temporary folder, or the empty PostgreSQL database that LOBSTERS_DATABASE_URL names.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from sqlalchemy import Engine, create_engine, inspect, make_url

from efface import Eraser, Policy, Receipt
from tests.support.schemas.lobsters.loading import load
from tests.support.schemas.lobsters.others import checksums, differences
from tests.support.schemas.lobsters.policy import leaving
from tests.support.schemas.lobsters.rows import tables
from tests.support.schemas.lobsters.schema import lobsters
from tests.support.schemas.lobsters.tables import Marks
from tests.support.schemas.lobsters.world import FULL, World

KEY = "a key of the demo, and of nothing else"
URL = "LOBSTERS_DATABASE_URL"
SIZE = "LOBSTERS_SIZE"


def main(marks: Marks) -> int:
    """Tell the story, and return 1 where anything is left or anybody else has changed."""
    with empty_database() as engine:
        world, eraser = move_in(engine, marks)
        print(f"\nThe busiest member closes the account, on {engine.dialect.name}.\n")
        person = {"id": world.heaviest, "email": world.emails[world.heaviest]}
        with timed("checksums of everybody else"):
            before = checksums(engine, person)
        receipt = close(engine, eraser, world.heaviest)
        with timed("checksums of everybody else, again"):
            changed = differences(before, checksums(engine, person))
        return verdict(receipt, sum(rows for rows, _ in before.values()), changed)


@contextmanager
def empty_database() -> Iterator[Engine]:
    """Yield an engine over an empty database; the one that we make goes again."""
    named = os.environ.get(URL)
    if named:
        engine = create_engine(make_url(named).set(drivername="postgresql+psycopg"))
        if inspect(engine).get_table_names():
            sys.exit(
                f"The database in {URL} is not empty, and nothing was changed. Name a new one."
            )
        yield engine
        engine.dispose()
        return
    with tempfile.TemporaryDirectory(prefix="lobsters-") as folder:
        engine = create_engine(f"sqlite:///{folder}/lobsters.db")
        yield engine
        engine.dispose()


def move_in(engine: Engine, marks: Marks) -> tuple[World, Eraser]:
    """Fill the site, and return an eraser by the policy of *marks*."""
    size = FULL.scaled(float(os.environ.get(SIZE) or 1))
    print(
        f"Lobsters: {size.members:,} members, {size.stories:,} stories, {size.comments:,} comments"
    )
    with timed("who wrote, answered and voted"):
        world = World(size)
    metadata = lobsters(marks)
    with timed("all rows, indexes and keys"):
        load(engine, metadata, tables(world), lambda name, rows: print(f"{rows:12,}  {name}"))
    eraser = Eraser(Policy.from_metadata(metadata), secret=KEY)
    eraser.create_tables(engine)
    return world, eraser


def close(engine: Engine, eraser: Eraser, key: int) -> Receipt:
    """Close the account of *key* and settle, showing the plan."""
    with engine.begin() as connection, timed("plan"):
        plan = eraser.plan(connection, key)
    print(f"\n{plan.explain()}\n")
    with timed("closing"), engine.begin() as connection:
        receipt = eraser.close_account(connection, key, actor="demo")
    with timed("second pass, and search of the whole database"), engine.begin() as connection:
        return eraser.finalize(connection, receipt)


def verdict(receipt: Receipt, others: int, changed: dict[str, str]) -> int:
    """Print what is left and who else has changed; return the exit status."""
    print(f"\nReceipt {receipt.reference}: {receipt.rows:,} rows, {receipt.search.summary()}")
    for table, what in changed.items():
        print(f"  {table}: {what}")
    if not changed:
        print(f"Everybody else: {others:,} rows, unchanged")
    left = changed or not receipt.search.is_clean
    print("\nNot clean." if left else "\nclean")
    return 1 if left else 0


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long the block took."""
    start = perf_counter()
    yield
    print(f"{perf_counter() - start:10.1f} s  {what}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main(leaving()))
