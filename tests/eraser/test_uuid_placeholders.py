"""A secret that is a UUID gets a random one, which is recognized as a placeholder."""

from itertools import count
from uuid import UUID

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Uuid

from efface import Placeholder, Redact, not_personal, on_close, personal
from tests.eraser.real_databases import ADA, GRACE, add, close, column, created, users

OLD = [UUID(int=number << 100) for number in range(1, 5)]


@pytest.mark.parametrize("as_uuid", [True, False])
@pytest.mark.parametrize("source", ["database", "python"])
def test_each_row_gets_another_one(database, source, as_uuid):
    metadata = MetaData()
    kind = Uuid(as_uuid=as_uuid)
    people = users(metadata, Column("secret", kind, personal(Placeholder()), unique=True))
    keys = Table(
        "keys",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), not_personal(), index=True),
        Column("secret", kind, personal(Placeholder()), nullable=False),
        on_close(Redact(), via="user_id"),
    )
    numbers = count(1)
    options = {"random_source": lambda: f"{next(numbers):x}".ljust(32, "0")}
    eraser = created(metadata, database, **(options if source == "python" else {}))
    old = [each if as_uuid else str(each) for each in OLD]
    add(database, people, {"id": 1, "email": ADA, "secret": old[0]})
    add(database, people, {"id": 2, "email": GRACE, "secret": old[1]})
    rows = [{"id": n, "user_id": 1 + n // 3, "secret": old[n]} for n in range(4)]
    add(database, keys, *rows)

    receipt = close(database, eraser)
    with database.begin() as connection:
        finalized = eraser.finalize(connection, receipt)

    found = [UUID(str(each)) for each in column(database, keys, "secret")]
    made, kept = {each for each in found if each not in OLD}, [e for e in found if e in OLD]
    assert (len(made), kept) == (3, [OLD[3]])
    hers, others = (UUID(str(each)) for each in column(database, people, "secret"))
    assert all(each.hex.startswith("effaced0") for each in (*made, hers))
    assert others == OLD[1]
    # A second pass finds them done.
    assert (finalized.late, finalized.search.is_clean) == (0, True)
