"""The forum in a file, and the commands as somebody types them."""

import sys

import pytest
from typer.testing import CliRunner

from efface.cli.app import app
from tests.support.schemas import forum

ERASER = "tests.support.schemas.forum:eraser"


@pytest.fixture
def database(tmp_path):
    """The URL of a forum in which Ada and Grace live."""
    url = f"sqlite:///{tmp_path / 'forum.db'}"
    engine = forum.engine_of(url)
    forum.create(engine)
    engine.dispose()
    return url


@pytest.fixture
def engine(database):
    engine = forum.engine_of(database)
    yield engine
    engine.dispose()


@pytest.fixture
def efface(monkeypatch, tmp_path):
    """Run a command in an empty project folder; what it prints is text, never ANSI."""
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments, **options):
        return CliRunner().invoke(app, [str(each) for each in arguments], **options)

    run.project = project
    return run


@pytest.fixture
def here(efface, database):
    """Run a command on the forum."""

    def run(command, *arguments, **options):
        named = ["--database", database]
        if command != "closed":
            named += ["--eraser", ERASER]
        return efface(command, *arguments, *named, **options)

    return run
