"""The forum with Ada and Grace."""

import pytest

from tests.support.schemas import forum


@pytest.fixture
def engine(database):
    """The forum with Ada and Grace."""
    forum.create(database)
    return database
