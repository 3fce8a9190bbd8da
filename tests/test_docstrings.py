"""The docstrings of public names: their examples run, and each begins with one short sentence."""

import inspect
from datetime import datetime
from doctest import ELLIPSIS, DocTestFinder, DocTestRunner
from io import StringIO
from pathlib import Path

import pytest
from sqlalchemy import DateTime, ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import efface
import efface.testing
from tests.support.schemas import forum

PUBLIC = [
    *((name, getattr(efface, name)) for name in efface.__all__),
    *((name, getattr(efface.testing, name)) for name in efface.testing.__all__),
]
EXAMPLES = {
    example.name: example
    for name, item in PUBLIC
    for example in DocTestFinder(exclude_empty=True).find(item, name, module=False)
    if example.examples
}
LONGEST_FIRST_LINE = 88


def documented():
    """Every public name, and the public methods and properties of public classes."""
    for name, item in PUBLIC:
        yield name, item
        if inspect.isclass(item):
            for attribute, method in vars(item).items():
                is_method = callable(method) or isinstance(method, (property, classmethod))
                if is_method and not attribute.startswith("_"):
                    yield f"{name}.{attribute}", method


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """The names that an example uses: the forum's tables, its policy, an eraser, a session."""
    monkeypatch.chdir(tmp_path)

    class Base(DeclarativeBase):
        """A copy of the forum's tables, to which an example may add its own."""

    for table in forum.Base.metadata.tables.values():
        table.to_metadata(Base.metadata)
    engine = forum.engine_of()
    forum.create(engine)
    with Session(engine) as session:
        yield {
            **dict(PUBLIC),
            "Base": Base,
            "DateTime": DateTime,
            "ForeignKey": ForeignKey,
            "Mapped": Mapped,
            "Path": Path,
            "String": String,
            "User": forum.User,
            "datetime": datetime,
            "eraser": forum.eraser(),
            "mapped_column": mapped_column,
            "policy": efface.Policy.from_metadata(forum.Base.metadata),
            "session": session,
        }
    engine.dispose()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_gives_what_it_shows(name, reader):
    example, report = EXAMPLES[name], StringIO()
    example.globs = reader

    result = DocTestRunner(optionflags=ELLIPSIS).run(example, out=report.write)

    assert result.failed == 0, report.getvalue()


def test_what_is_typed_first_has_an_example():
    assert set(EXAMPLES) >= {
        "data_subject",
        "on_close",
        "personal",
        "no_personal_data",
        "Policy.from_metadata",
        "Policy.from_file",
        "Eraser",
        "Eraser.plan",
        "Eraser.close_account",
        "Eraser.finalize",
    }


def test_a_public_name_begins_with_one_short_sentence():
    first_lines = {
        name: (inspect.getdoc(item) or "").partition("\n")[0] for name, item in documented()
    }

    assert len(first_lines) > len(PUBLIC)
    assert {
        name: line
        for name, line in first_lines.items()
        if not line.endswith(".") or len(line) > LONGEST_FIRST_LINE
    } == {}
