"""Databases without rows, and gardens over them."""

import shutil
from contextlib import ExitStack
from itertools import count

import anyio.from_thread
import pytest

from garden.database import open_engine
from garden.demo import upgrade
from tests import databases
from tests.gardening.on_fastapi import FastAPIGarden

# Where a garden grows: the framework, and the kind of its database.
PLACES = [
    pytest.param(("fastapi", "sqlite"), id="fastapi-sqlite"),
    pytest.param(("fastapi", "postgresql"), id="fastapi-postgresql", marks=pytest.mark.slow),
]
GARDENS = {"fastapi": FastAPIGarden}


def pytest_generate_tests(metafunc):
    """Run each test with a garden in every place, but where the test is about some alone."""
    # Not "place": other tests have parameters of that name, and no garden.
    if "new_database" not in metafunc.fixturenames:
        return
    places = PLACES
    if metafunc.definition.get_closest_marker("fastapi"):
        places = [place for place in places if place.values[0][0] == "fastapi"]
    if metafunc.definition.get_closest_marker("browser"):
        # What differs between databases shows without a browser, and sooner.
        places = [place for place in places if place.values[0][1] == "sqlite"]
    metafunc.parametrize("place", places, indirect=True)


def migrate(url):
    """Make the tables."""
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def loop():
    """An event loop beside the tests."""
    with anyio.from_thread.start_blocking_portal("asyncio") as portal:
        yield portal


@pytest.fixture(scope="session")
def blank_database(tmp_path_factory):
    """A database with the tables the migrations make, and nothing in them."""
    path = tmp_path_factory.mktemp("garden") / "blank.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(server_urls):
    """The same on PostgreSQL; a copy of it is made faster than tables are."""
    url = server_urls["postgresql"]
    with databases.database_on(url, f"{url.database}_blank") as blank:
        migrate(blank.render_as_string(hide_password=False))
        yield blank


@pytest.fixture
def place(request):
    """The framework and the kind of the database."""
    return request.param


@pytest.fixture
def new_database(place, request, tmp_path):
    """A maker of databases: each call gives the URL of one with all tables and no rows."""
    numbers = count()
    if place[1] == "sqlite":
        blank = request.getfixturevalue("blank_database")

        def copy():
            path = tmp_path / f"garden-{next(numbers)}.db"
            shutil.copy(blank, path)
            return f"sqlite:///{path}"

        yield copy
        return
    template = request.getfixturevalue("postgresql_template")
    with ExitStack() as opened:

        def copy_template():
            name = f"{template.database}_{next(numbers)}"
            url = opened.enter_context(
                databases.database_on(template, name, template=template.database)
            )
            return url.render_as_string(hide_password=False)

        yield copy_template


@pytest.fixture
def open_garden(place, new_database, loop):
    """A maker of gardens, for tests that change a setting."""
    opened = []

    def open_garden(**changes):
        opened.append(GARDENS[place[0]](new_database(), loop, **changes))
        return opened[-1]

    yield open_garden
    for garden in opened:
        garden.dispose()


@pytest.fixture
def garden(open_garden, request):
    """A garden without members, on a developer's machine; a parameter changes its settings."""
    return open_garden(**getattr(request, "param", {}))
