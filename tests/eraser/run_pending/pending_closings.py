"""Closings of the forum that nobody has settled, and what is recorded about them."""

from datetime import timedelta

from sqlalchemy import insert, select

from efface import Receipt
from efface.store.efface_tables import closings
from tests.support.schemas import forum
from tests.support.schemas.forum import Token

LATER = forum.NOW + timedelta(hours=1)


def close(engine, *subjects, now=forum.NOW):
    """Close accounts, each in a transaction of its own, and never settle them."""
    receipts = []
    for subject in subjects:
        with engine.begin() as connection:
            eraser = forum.eraser(clock=lambda: now)
            receipts.append(eraser.close_account(connection, subject, actor="test"))
    return receipts


def run_pending(engine, now=LATER, **options):
    """Settle what is due in a transaction of its own."""
    with engine.begin() as connection:
        return forum.eraser(clock=lambda: now).run_pending(connection, **options)


def stored(engine):
    """The receipts as they are recorded, by reference."""
    with engine.connect() as connection:
        found = connection.scalars(select(closings.c.receipt).order_by(closings.c.id))
        return [Receipt.from_json(each) for each in found]


def write_late(engine, subject):
    """Write for somebody who has left, as a writer does that had waited."""
    with engine.begin() as connection:
        connection.execute(insert(Token).values(user_id=subject, token=b"late"))


def tokens(engine):
    """Whose tokens there are."""
    with engine.connect() as connection:
        return set(connection.scalars(select(Token.user_id)))
