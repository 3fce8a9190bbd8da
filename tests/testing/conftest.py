"""Databases with the person and the bystander in them."""

import pytest

from tests.testing.worlds import SCHEMAS, World


@pytest.fixture
def populated(database):
    """Make worlds, and end them before the database goes."""
    worlds = []

    def make(metadata):
        worlds.append(World(database, metadata))
        return worlds[-1]

    yield make
    for each in worlds:
        each.session.close()


@pytest.fixture
def world(request, database, populated):
    """A database with the tables of one schema, and the person and the bystander in it."""
    return populated(SCHEMAS[getattr(request, "param", "forum")](database))


@pytest.fixture
def empty(world):
    """A world that the person has left."""
    world.close(world.people.user)
    return world
