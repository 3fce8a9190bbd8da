"""The SQLModel how-to, executed from top to bottom: what it prints is what the page shows."""

import re
import sys
from contextlib import redirect_stdout
from io import StringIO
from types import ModuleType

import pytest
from sqlmodel import SQLModel

from efface.policy.check import check
from tests.support.paths import DOCS

PAGE = DOCS / "how-to" / "sqlmodel.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w/]+)\.py\n")


@pytest.fixture
def page(monkeypatch):
    """Run every block in order; return what was printed beside what the page says, and the names.

    The models live in the registry that all of SQLModel shares, and leave it again.
    """
    before = set(SQLModel.metadata.tables)
    monkeypatch.setitem(sys.modules, "myapp", ModuleType("myapp"))
    names, printed, compared = {"__name__": "page"}, "", []
    for language, code in BLOCK.findall(PAGE.read_text()):
        if language == "text":
            compared.append((printed, code))
            continue
        named = FILE.match(code)
        space = names
        if named:
            module = ModuleType(named[1].replace("/", "."))
            monkeypatch.setitem(sys.modules, module.__name__, module)
            space = module.__dict__
        with redirect_stdout(StringIO()) as output:
            exec(compile(code, str(PAGE), "exec"), space)
        printed = output.getvalue()
    yield names, compared
    names["engine"].dispose()
    for name in set(SQLModel.metadata.tables) - before:
        SQLModel.metadata.remove(SQLModel.metadata.tables[name])
    SQLModel._sa_registry.dispose()


def test_the_page_does_what_it_shows(page):
    _, compared = page

    assert len(compared) == 2
    for printed, shown in compared:
        assert printed == shown


def test_the_markers_of_every_place_are_found(page):
    """In ``__table_args__``, in ``sa_column_args`` and inside ``sa_column``."""
    names, _ = page

    policy = names["policy"]

    assert check(policy) == ()
    assert policy.subject.identifiers == ("email", "name")
    assert {c.name for c in policy.tables["users"].personal_columns()} == {"email", "name"}
    assert {c.name for c in policy.tables["posts"].personal_columns()} == {"body"}


def test_get_hides_a_closed_account_as_well(page):
    names, _ = page

    with names["Session"](names["engine"]) as session:
        assert session.get(names["User"], 1) is None
        with names["include_closed"]():
            assert session.get(names["User"], 1).deleted_at is not None
