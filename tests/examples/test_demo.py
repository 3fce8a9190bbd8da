"""The demos as processes: the story, the login for the visitor, and an end without files."""

import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from queue import Queue
from threading import Thread

import pytest

from garden.demo import main
from tests.support.gardens import Browser
from tests.support.gardens.child_process import environment

DEMOS = ["garden", pytest.param("garden_django", marks=pytest.mark.slow)]
SLOW_SIGNALS = [pytest.param(name, marks=pytest.mark.slow) for name in ("SIGINT", "SIGHUP")]
ENDED = "Ctrl+C ends the demo."
LOGIN = re.compile(r"log in +(\S+) · (.+)")
BLOCKED = re.compile(r"blocked +(\S+) · (.+)")
CLOSE = "/users/settings/close"
MIN_AGE = 60


class Demo:
    """A demo that runs."""

    def __init__(self, process):
        self.process, self.told = process, ""
        self._lines = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, words):
        """Return all that the demo has printed, as soon as it has printed these words."""
        while words not in self.told:
            line = self._lines.get(timeout=MIN_AGE)
            assert line, self.told
            self.told += line
        return self.told

    def end(self, number):
        """Send a signal; return the exit status and the rest of the output."""
        self.process.send_signal(number)
        status = self.process.wait(MIN_AGE)
        return status, "".join(iter(self._lines.get, ""))

    def browser(self):
        return Browser(re.search(r"Now you: +(\S+)", self.told)[1])

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")


@contextmanager
def running(module, folder, **settings):
    """Run a demo as `make demo` does, at a free port, with a folder for its temporary files."""
    surroundings = environment("", secret="", dev=False)
    for name in ("GARDEN_DATABASE_URL", "GARDEN_SECRET", "GARDEN_DEV", "DJANGO_SETTINGS_MODULE"):
        del surroundings[name]
    with subprocess.Popen(
        [sys.executable, "-m", f"{module}.demo"],
        cwd=folder.parent,
        env={**surroundings, "PORT": "0", "TMPDIR": str(folder), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Demo(process)
        finally:
            process.kill()


@pytest.fixture
def folder(tmp_path):
    """The folder of the temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("module", DEMOS)
def test_the_login_that_the_demo_prints_can_delete_its_account(module, folder):
    with running(module, folder) as demo:
        email, password = LOGIN.search(demo.wait_for(ENDED)).groups()

        with demo.browser() as browser:
            browser.log_in(email, password)
            offered = browser.open("/users/settings").text
            closed = browser.submit(CLOSE, current_password=password, confirm="yes")
            again = browser.log_in(email, password)

    assert f'action="{CLOSE}"' in offered
    assert (closed.status_code, closed.headers["location"]) == (303, "/")
    assert again.status_code == 422


@pytest.mark.slow
@pytest.mark.parametrize("module", DEMOS)
def test_the_demo_names_an_account_that_has_a_blocker(module, folder):
    with running(module, folder) as demo:
        email, password = BLOCKED.search(demo.wait_for(ENDED)).groups()

        with demo.browser() as browser:
            browser.log_in(email, password)
            browser.open("/users/settings")
            refused = browser.submit(CLOSE, current_password=password, confirm="yes")
            again = browser.log_in(email, password)

    assert "last organizer of Herb spiral" in refused.text
    assert refused.status_code == 409
    assert again.status_code == 303


@pytest.mark.parametrize("module", DEMOS)
@pytest.mark.parametrize("name", ["SIGTERM", *SLOW_SIGNALS])
def test_every_signal_that_ends_the_demo_leaves_no_files(module, folder, name):
    """Also while a page is open: its WebSocket is still connected."""
    with running(module, folder) as demo:
        email, password = LOGIN.search(demo.wait_for(ENDED)).groups()
        before = list(folder.rglob("garden.db*"))
        with demo.browser() as browser:
            browser.log_in(email, password)
            browser.open("/")
            with browser.socket():
                status, rest = demo.end(getattr(signal, name))

    assert before
    assert (status, rest[-10:]) == (0, "\nGoodbye.\n"), rest
    assert list(folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("module", DEMOS)
def test_a_signal_in_the_middle_of_the_story_leaves_no_files(module, folder):
    with running(module, folder) as demo:
        demo.wait_for("each with a WebSocket")
        status, rest = demo.end(signal.SIGTERM)

    assert status == 0
    assert rest.endswith("\nGoodbye.\n")
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_a_kept_database_has_no_file_of_its_log_and_offers_a_login_again(folder):
    with running("garden", folder, KEEP="1") as demo:
        first = LOGIN.search(demo.wait_for(ENDED)).groups()
        status, _ = demo.end(signal.SIGTERM)
    kept = [each.name for each in folder.parent.iterdir() if each.is_file()]
    with running("garden", folder, KEEP="1") as demo:
        told = demo.wait_for(ENDED)

    assert status == 0
    assert kept == ["garden.db"]
    assert "deleted her account in an earlier run" in told
    assert LOGIN.search(told).groups() == first


@pytest.mark.parametrize("module", DEMOS)
def test_the_demo_tells_its_story_and_ends(module, folder):
    with running(module, folder, ONCE="1") as demo:
        told = demo.wait_for("Ada Lovelace deleted her account on")
        status = demo.process.wait(MIN_AGE)

    assert status == 0
    assert told.count("✓") >= 17
    assert "clean" in told
    assert list(folder.iterdir()) == []


def test_the_demo_says_which_step_went_wrong(capsys, monkeypatch):
    """The list of closed accounts is empty, and the last step notices."""
    monkeypatch.setattr("garden.demo.list_closed", lambda _session: [])

    status = main({"ONCE": "1", "PORT": "0"})

    assert status == 1
    assert "✗ the site knows when she deleted her account" in capsys.readouterr().out
