"""What any test may ask for, and the sentences at the end that say what was not run."""

import os
import shutil
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import playwright
import pytest
from playwright.sync_api import sync_playwright
from sqlalchemy import create_engine

from tests.support import databases
from tests.support import redis_servers as redises
from tests.support.gardens.fixtures import (
    blank_files,
    children,
    garden,
    loop,
    new_database,
    open_garden,
    place,
    pytest_generate_tests,
    templates,
)

__all__ = [
    "blank_files",
    "children",
    "garden",
    "loop",
    "new_database",
    "open_garden",
    "place",
    "pytest_generate_tests",
    "templates",
]

# CI names here what it must not be without, as in EFFACE_TEST_REQUIRE=chromium.
REQUIRED = os.environ.get("EFFACE_TEST_REQUIRE", "").replace(",", " ").split()
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def skip_or_fail(thing: str, reason: str) -> None:
    """Skip the test for want of *thing*, or fail where the environment requires it."""
    if thing in REQUIRED:
        pytest.fail(f"{reason} EFFACE_TEST_REQUIRE asks for it here.", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def server_urls():
    """The URL of a database of this worker's own, by kind; made when it is first asked for."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    with ExitStack() as running:
        yield UrlsByKind(running, f"efface_test_{worker}_{os.getpid()}")


class UrlsByKind(dict):
    """Starts or joins a server when a test first asks for its kind."""

    def __init__(self, running, name):
        super().__init__()
        self.running, self.name = running, name

    def __missing__(self, kind):
        if kind == "postgresql":
            if not databases.has_wheel():
                return skip_or_fail("postgresql", databases.NO_POSTGRESQL)
            url = self.running.enter_context(databases.server())
        else:
            url = databases.NAMED[int(kind.removeprefix("named-"))]
        self[kind] = self.running.enter_context(databases.database_on(url, self.name))
        return self[kind]


@pytest.fixture(params=databases.KINDS)
def database(request, tmp_path):
    """An engine over an empty database; the test runs once for each kind."""
    if request.param == "sqlite":
        engine = databases.sqlite_engine(tmp_path / "test.db")
    else:
        engine = databases.emptied(request.getfixturevalue("server_urls")[request.param])
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite():
    """An engine over an empty SQLite in memory."""
    engine = create_engine("sqlite://")
    yield engine
    engine.dispose()


@pytest.fixture
def redis_server(tmp_path):
    """A Redis of the test's own."""
    if not redises.has_server():
        skip_or_fail("redis", redises.NO_REDIS)
    with redises.RedisServer(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def chromium():
    """The path of the system's Chromium."""
    for name in CHROMIUM:
        if path := shutil.which(name):
            return path
    return skip_or_fail("chromium", "Chromium was not found; on Debian: apt-get install chromium.")


@pytest.fixture
def browser_engine(chromium):
    """A headless Chromium under Playwright; each test opens contexts of its own.

    Not for the whole session: while Playwright runs, no other test of its thread can start an
    event loop.
    """
    with sync_playwright() as driver:
        # Chromium refuses its sandbox to root, which is who runs tests in a container.
        engine = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield engine
        engine.close()


@pytest.fixture(scope="session")
def node():
    """The path of the Node that Playwright's wheel carries, so that no machine is without."""
    carried = Path(playwright.__file__).parent / "driver" / "node"
    path = str(carried) if carried.exists() else shutil.which("node")
    # Not a skip: the tutorial's tests run the page's script, and none of them is ever skipped.
    assert path, "Playwright carries no Node for this system; install Node 20 or newer."
    return path


class NotRun:
    """Says at the end which tests were left out, and why."""

    KINDS = ("browser", "slow")

    def __init__(self, config):
        self.config = config
        self.left_out = Counter()

    def pytest_deselected(self, items):
        for item in items:
            kinds = [kind for kind in self.KINDS if item.get_closest_marker(kind)]
            self.left_out.update(kinds[:1])

    def pytest_sessionfinish(self):
        # Under xdist the workers collect, and only the controller can speak.
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput["left_out"] = dict(self.left_out)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        self.left_out = Counter(getattr(node, "workeroutput", {}).get("left_out", {}))

    def pytest_terminal_summary(self, terminalreporter):
        for reason, number in self.skipped(terminalreporter).items():
            terminalreporter.write_line(f"Not run: {count(number)}. {reason}")
        # With -k one has asked for a few tests and knows it.
        if self.left_out and not self.config.getoption("keyword"):
            kinds = [count(number, kind) for kind, number in sorted(self.left_out.items())]
            terminalreporter.write_line(f"Not run: {', '.join(kinds)}. `make test-all` runs them.")

    @staticmethod
    def skipped(terminalreporter):
        reports = terminalreporter.stats.get("skipped", [])
        return Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports)


def count(number, kind=""):
    """Return the number of tests in words: *1 slow test*, *3 tests*."""
    return f"{number} {kind} test{'' if number == 1 else 's'}".replace("  ", " ")


def pytest_configure(config):
    config.pluginmanager.register(NotRun(config), "not-run")
