"""Two applications take Efface in: the lines that change, their own tests, and somebody leaves.

Each lies here as it was before, beside the difference that its page in docs/how-to shows.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlmodel import SQLModel

HERE = Path(__file__).parent
PAGES = HERE.parents[1] / "docs" / "how-to"
APPLICATIONS = {"bare": "fastapi.md", "template": "jwt.md"}
# Starlette's own client says so of the httpx that we install for other reasons.
HTTPX = "ignore:Using `httpx` with `starlette.testclient` is deprecated"
FILES = ("suite.py", "leaving.py")
MOST_LINES = 25
# Keys and words are those of a test machine.
ENVIRONMENT = {
    "EFFACE_SECRET": "a key of sixteen bytes or more",
    "SESSION_SECRET": "a secret",
    "JWT_SECRET": "a secret of thirty-two bytes or more",
}

applications = pytest.mark.parametrize("name", APPLICATIONS)


def copied(name, folder):
    """Copy the application to where it may change."""
    shutil.copytree(HERE / name, folder, dirs_exist_ok=True)
    return folder


def adopt(folder):
    """Apply the difference."""
    subprocess.run(["git", "apply", "-p1", "efface.diff"], cwd=folder, check=True)


def run(folder, *files, url):
    """Run test files of the application, and return how many tests passed.

    In this process, which has FastAPI loaded already; what the application adds goes again.
    """
    passed = Passed()
    modules, tables = set(sys.modules), set(SQLModel.metadata.tables)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(str(folder))
        for name, value in {**ENVIRONMENT, "DATABASE_URL": url}.items():
            monkeypatch.setenv(name, value)
        # Alone, as the application would: none of this suite's settings and plugins.
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
        options = ["-q", "-c", os.devnull, "--rootdir=.", "-p", "no:cacheprovider", "-W", HTTPX]
        status = pytest.main([*options, *files], [passed])
    for name in set(sys.modules) - modules:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    for name in set(SQLModel.metadata.tables) - tables:
        SQLModel.metadata.remove(SQLModel.metadata.tables[name])
    SQLModel._sa_registry.dispose()
    assert status == 0
    return passed.names


class Passed:
    """Collects the names of tests that pass."""

    def __init__(self):
        self.names = set()

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            self.names.add(report.nodeid.partition("::")[2])


def names_in(*paths):
    """The tests that files hold."""
    found = [re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE) for path in paths]
    return {name for each in found for name in each}


@applications
def test_the_lines_that_change_are_few_and_stand_in_the_docs(name):
    difference = (HERE / name / "efface.diff").read_text()

    changed = re.findall(r"^\+(?!\+\+ ).*\S", difference, re.MULTILINE)

    assert 0 < len(changed) <= MOST_LINES
    assert f"```diff\n{difference}```\n" in (PAGES / APPLICATIONS[name]).read_text()


@applications
def test_the_application_keeps_its_tests_and_people_can_leave(name, tmp_path):
    folder = copied(name, tmp_path)

    adopt(folder)

    passed = run(folder, *FILES, url=f"sqlite:///{tmp_path}/site.db")
    assert passed == names_in(*(folder / name for name in FILES))


@pytest.mark.slow
@applications
def test_the_application_passed_its_tests_before(name, tmp_path):
    """Otherwise what it passes afterwards would say little."""
    folder = copied(name, tmp_path)

    passed = run(folder, "suite.py", url=f"sqlite:///{tmp_path}/site.db")

    assert passed == names_in(folder / "suite.py")


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@applications
def test_the_same_on_postgresql(name, database, tmp_path):
    folder = copied(name, tmp_path)
    url = database.url.render_as_string(hide_password=False)

    adopt(folder)

    assert run(folder, *FILES, url=url) == names_in(*(folder / name for name in FILES))
