"""Databases without rows, and gardens over them."""

import shutil
import subprocess
import sys
from contextlib import ExitStack
from functools import cache
from itertools import count

import anyio.from_thread
import pytest
from sqlalchemy import make_url

from garden.database import open_engine
from garden.demo import upgrade
from tests.support import databases
from tests.support.gardens.child_process import Child, environment
from tests.support.gardens.django_garden import DjangoGarden
from tests.support.gardens.fastapi_garden import FastAPIGarden
from tests.support.gardens.garden import SECRET

# Where a garden grows: the framework, and the kind of its database.
PLACES = [
    pytest.param(("fastapi", "sqlite"), id="fastapi-sqlite"),
    pytest.param(("fastapi", "postgresql"), id="fastapi-postgresql", marks=pytest.mark.slow),
    pytest.param(("django", "sqlite"), id="django-sqlite", marks=pytest.mark.slow),
    pytest.param(("django", "postgresql"), id="django-postgresql", marks=pytest.mark.slow),
]
# Each kind of garden, and the fixture it lives in.
GARDENS = {"fastapi": (FastAPIGarden, "loop"), "django": (DjangoGarden, "children")}


def pytest_generate_tests(metafunc):
    """Run each test with a garden in every place, but where the test is about some alone."""
    # Not "place": other tests have parameters of that name, and no garden.
    if "new_database" not in metafunc.fixturenames:
        return
    alone = [name for name in GARDENS if metafunc.definition.get_closest_marker(name)]
    places = [place for place in PLACES if not alone or place.values[0][0] in alone]
    if metafunc.definition.get_closest_marker("browser"):
        # What differs between databases shows without a browser, and sooner.
        places = [place for place in places if place.values[0][1] == "sqlite"]
    metafunc.parametrize("place", places, indirect=True)


def migrate(framework, url):
    """Make the tables."""
    if framework == "fastapi":
        engine = open_engine(url)
        upgrade(engine)
        engine.dispose()
        return
    command = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
    subprocess.run(command, env=environment(url, secret=SECRET, dev=True), check=True)


@pytest.fixture(scope="session")
def loop():
    """An event loop beside the tests."""
    with anyio.from_thread.start_blocking_portal("asyncio") as portal:
        yield portal


@pytest.fixture(scope="session")
def blank_files(tmp_path_factory):
    """By framework, a database with the tables the migrations make, and nothing in them."""

    @cache
    def blank(framework):
        path = tmp_path_factory.mktemp("garden") / f"{framework}.db"
        migrate(framework, f"sqlite:///{path}")
        return path

    return blank


@pytest.fixture(scope="session")
def templates(server_urls):
    """The same on PostgreSQL; a copy of it is made faster than tables are."""
    with ExitStack() as made:

        @cache
        def template(framework):
            url = server_urls["postgresql"]
            name = f"{url.database}_{framework}"
            blank = made.enter_context(databases.database_on(url, name))
            migrate(framework, blank.render_as_string(hide_password=False))
            return blank

        yield template


class Children:
    """The processes with a garden on Django: one for each kind of database, developers or not."""

    def __init__(self, folder):
        self._folder, self._running = folder, {}

    def of(self, site):
        """Return one that can be a garden with these settings."""
        kind = make_url(site.database_url).get_backend_name(), site.dev
        if kind not in self._running:
            surroundings = environment(site.database_url, secret=SECRET, dev=site.dev)
            complaints = self._folder / f"{len(self._running)}.txt"
            self._running[kind] = Child(surroundings, complaints)
        return self._running[kind]

    def end(self):
        """End all of them."""
        for child in self._running.values():
            child.end()


@pytest.fixture(scope="session")
def children(tmp_path_factory):
    """The processes of this worker, which end with it."""
    children = Children(tmp_path_factory.mktemp("children"))
    yield children
    children.end()


@pytest.fixture
def place(request):
    """The framework and the kind of the database."""
    return request.param


@pytest.fixture
def new_database(place, request, tmp_path):
    """A maker of databases: each call gives the URL of one with all tables and no rows."""
    (framework, kind), numbers = place, count()
    if kind == "sqlite":
        blank = request.getfixturevalue("blank_files")(framework)

        def copy():
            path = tmp_path / f"garden-{next(numbers)}.db"
            shutil.copy(blank, path)
            return f"sqlite:///{path}"

        yield copy
        return
    template = request.getfixturevalue("templates")(framework)
    with ExitStack() as opened:

        def copy_template():
            name = f"{template.database}_{next(numbers)}"
            url = opened.enter_context(
                databases.database_on(template, name, template=template.database)
            )
            return url.render_as_string(hide_password=False)

        yield copy_template


@pytest.fixture
def open_garden(place, new_database, request):
    """A maker of gardens, for tests that change a setting."""
    opened = []
    kind, beside = GARDENS[place[0]]

    def open_garden(**changes):
        opened.append(kind(new_database(), request.getfixturevalue(beside), **changes))
        return opened[-1]

    yield open_garden
    for garden in opened:
        garden.dispose()


@pytest.fixture
def garden(open_garden, request):
    """A garden without members, on a developer's machine; a parameter changes its settings."""
    return open_garden(**getattr(request, "param", {}))
