"""Addresses of computers in columns of PostgreSQL's own types: they get coarser and stay valid."""

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text, select
from sqlalchemy.dialects.postgresql import CIDR, INET

from efface import Generalize, Redact, on_close, personal
from tests.eraser.real_databases import ADA, GRACE, ON_POSTGRESQL, add, close, created, users

VALUES = ["192.0.2.77", "2001:db8:1:2::3", None]


@ON_POSTGRESQL
@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("type_", "values", "left"),
    [
        (Text, VALUES, ["192.0.2.0", "2001:db8:1::", None]),
        (INET, VALUES, ["192.0.2.0", "2001:db8:1::", None]),
        (INET, ["192.0.2.77/24", "2001:db8:1:2::3/64"], ["192.0.2.0", "2001:db8:1::"]),
        (CIDR, ["192.0.2.0/25", "192.0.2.64/26"], ["192.0.2.0/32", "192.0.2.0/32"]),
    ],
)
def test_an_address_gets_coarser_in_its_type(database, type_, values, left):
    metadata = MetaData()
    people = users(metadata)
    visits = Table(
        "visits",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), index=True),
        Column("ip", type_, personal(Generalize("/24"))),
        on_close(Redact(), via="user_id"),
    )
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    rows = [{"id": n, "user_id": 1, "ip": ip} for n, ip in enumerate(values)]
    add(database, visits, *rows, {"id": 99, "user_id": 2, "ip": values[0]})

    receipt = close(database, eraser)
    with database.begin() as connection:
        assert eraser.finalize(connection, receipt).late == 0

    with database.connect() as connection:
        found = connection.scalars(select(visits.c.ip).order_by(visits.c.id)).all()
    assert [None if each is None else str(each) for each in found] == [*left, values[0]]
