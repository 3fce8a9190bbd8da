"""Closings in the forum, and the rows they leave."""

from sqlalchemy import func, select

from efface.store.efface_tables import closings
from tests.support.schemas import forum
from tests.support.schemas.forum import User


def close(engine, subject=1, **options):
    """Close an account in a transaction of its own."""
    with engine.begin() as connection:
        return forum.eraser(**options).close_account(connection, subject, actor="test")


def rows(engine, table=None):
    """Every row, or those of one table."""
    with engine.connect() as connection:
        found = forum.everything(connection)
    return found[table] if table else found


def row(engine, subject):
    """One person's own row."""
    with engine.connect() as connection:
        return connection.execute(select(User.__table__).where(User.id == subject)).one()


def recorded(engine):
    """How many closings are recorded."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(closings))


def rows_of(engine, entity):
    with engine.connect() as connection:
        return list(connection.execute(select(entity.__table__).order_by(entity.id)))
