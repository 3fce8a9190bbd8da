"""Every query of docs/reference/visibility.md, executed on each database: what the page says is
what one gets."""

import ast
import re
import warnings

import pytest
import sqlalchemy
from sqlalchemy import inspect
from sqlalchemy import orm as sqlalchemy_orm
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from efface import Policy
from efface.errors import EffaceError
from efface.sqlalchemy import hide_closed, include_closed
from tests.support.paths import DOCS
from tests.support.schemas import crew
from tests.support.schemas.crew import ADA, IDA

PAGE = DOCS / "reference" / "visibility.md"
ROW = re.compile(r"^\| `(.+?)` \|.*\|$", re.MULTILINE)
KINDS = ["Hidden", "Shown on purpose", "Refused", "Not covered"]


def queries(section):
    """The statements of the table under a heading."""
    text = PAGE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return ROW.findall(text)


def test_the_page_has_every_kind_of_query():
    """The matrices that this came from have 44 and 26."""
    sections = re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE)

    assert sections == ["Summary", "Read the tables", *KINDS]
    assert sum(len(queries(section)) for section in sections) > 70
    assert len(re.findall(r"^\| `", PAGE.read_text(), re.MULTILINE)) == sum(
        len(queries(section)) for section in sections
    )


def test_the_summary_names_every_kind_and_the_way_past_the_filter():
    summary = PAGE.read_text().partition("\n## Summary\n")[2].partition("\n## ")[0]

    assert re.findall(r"^\| \[(.+?)\]\(#", summary, re.MULTILINE) == KINDS
    assert "`with include_closed():`" in summary


class Queries:
    """The crew, in which Ada has left, with and without a session that hides her."""

    def __init__(self, engine):
        self.engine = engine
        crew.create(engine)
        self.hiding = sessionmaker(engine)
        hide_closed(self.hiding, Policy.from_metadata(crew.Base.metadata))

    def plain(self, code):
        with Session(self.engine) as session:
            return self.run(code, session)

    def hidden(self, code):
        with self.hiding() as session:
            return self.run(code, session)

    def asked(self, code):
        with self.hiding() as session, include_closed():
            return self.run(code, session)

    def run(self, code, session):
        """Return what the last of the statements in *code* gives, as plain values."""
        upsert = postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
        names = vars(sqlalchemy) | vars(sqlalchemy_orm) | vars(crew)
        names |= {
            "session": session,
            "ada": ADA,
            "ida": IDA,
            "upsert": upsert,
            "sqlalchemy": sqlalchemy,
        }
        names |= {"users": crew.User.__table__, "posts": crew.Post.__table__}
        *before, last = ast.parse(code).body
        with warnings.catch_warnings():
            # Some queries are legacy, and people still use them. A cartesian product is
            # what a filter looks like that went wrong, and stays an error.
            warnings.simplefilter("ignore", sqlalchemy.exc.SADeprecationWarning)
            try:
                exec(compile(ast.Module(before, []), code, "exec"), names)
                return values(eval(compile(ast.Expression(last.value), code, "eval"), names))
            except (SQLAlchemyError, EffaceError) as error:
                return type(error).__name__
            finally:
                session.rollback()


def values(found):
    """Objects by class and key, rows as lists in an order."""
    if isinstance(found, (list, tuple, sqlalchemy.Row)):
        return sorted((values(each) for each in found), key=repr)
    if hasattr(found, "__mapper__"):
        return [type(found).__name__, *inspect(found).identity]
    return found


def leaves(found):
    return [leaf for each in found for leaf in leaves(each)] if isinstance(found, list) else [found]


@pytest.fixture
def crewed(database):
    return Queries(database)


def runnable(crewed, section):
    """The queries that this database has; PostgreSQL has all of them."""
    for code in queries(section):
        plain = crewed.plain(code)
        if isinstance(plain, str) and plain.endswith("Error"):
            assert crewed.engine.dialect.name == "sqlite", (code, plain)
        else:
            yield code, plain


def test_what_is_hidden_is_hidden_unless_it_is_asked_for(crewed):
    found = {code: (plain, crewed.hidden(code)) for code, plain in runnable(crewed, "Hidden")}

    assert {code: both for code, both in found.items() if both[0] == both[1]} == {}
    errors = {both[1] for both in found.values() if str(both[1]).endswith(("Error", "Warning"))}
    assert errors <= {"NoResultFound"}
    different = {
        code: asked for code, (plain, _) in found.items() if (asked := crewed.asked(code)) != plain
    }
    assert different == {}


@pytest.mark.parametrize("section", ["Shown on purpose", "Not covered"])
def test_what_is_shown_is_shown(crewed, section):
    """A query that is filtered since is no longer worth a warning."""
    for code, plain in runnable(crewed, section):
        assert ADA in leaves(plain), code
        assert crewed.hidden(code) == plain, code


def test_what_is_refused_is_refused_unless_it_is_asked_for(crewed):
    for code, plain in runnable(crewed, "Refused"):
        assert crewed.hidden(code) in ("UnfilteredStatementError", "ClosedMergeError"), code
        assert crewed.asked(code) == plain, code
