"""The forum, in which Ada has closed her account, and a session that hides her."""

import pytest
from sqlalchemy.orm import sessionmaker

from efface.sqlalchemy import hide_closed
from tests.sqlalchemy.hide_closed.forum_people import ADA, POLICY
from tests.support.schemas import forum


@pytest.fixture
def engine(database):
    """The forum, in which Ada has closed her account."""
    engine = database
    forum.create(engine)
    with engine.begin() as connection:
        forum.eraser().close_account(connection, ADA, actor="test")
    return engine


@pytest.fixture
def session(engine):
    """A session that hides closed accounts."""
    maker = sessionmaker(engine)
    hide_closed(maker, POLICY)
    with maker() as session:
        yield session
