"""The forum, on each database and on PostgreSQL."""

import pytest

from tests.support.databases import emptied
from tests.support.schemas import forum


@pytest.fixture
def engine(database):
    """The forum with Ada and Grace."""
    forum.create(database)
    return database


@pytest.fixture
def server(server_urls):
    """The forum on PostgreSQL, where several can write at a time."""
    engine = emptied(server_urls["postgresql"])
    forum.create(engine)
    yield engine
    engine.dispose()
