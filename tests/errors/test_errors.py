"""What a developer reads when Efface refuses: a code, a sentence, and where to read more."""

import ast
import re
import tomllib
from itertools import chain

import pytest
from sqlalchemy import MetaData, create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from efface import Delete, Generic, Policy, on_close, personal, preset
from efface.errors import (
    DOCUMENTATION,
    ActorLengthError,
    BatchError,
    BindError,
    BlockerError,
    ConstraintError,
    EffaceError,
    FixtureError,
    ForeignPlanError,
    IncompletePolicyError,
    Problem,
    RetryError,
    RuleArgumentError,
    RulePlacementError,
    SessionTargetError,
    StalePlanError,
    UnfilteredStatementError,
)
from efface.errors.database_refusals import refused
from efface.page.blockers import Blocker
from efface.policy.actions import Clear
from efface.sqlalchemy import hide_closed
from efface.testing import assert_no_trace
from tests.support.databases import sqlite_engine
from tests.support.paths import ROOT
from tests.support.schemas import forum

REFERENCE = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
SOURCES = sorted((ROOT / "src" / "efface").rglob("*.py"))
CODE = re.compile(r"[EW]\d{3}")


def every_class():
    classes = [EffaceError]
    for cls in classes:
        classes += cls.__subclasses__()
    return classes[1:]


def literals(path):
    """The texts in a file that run: no docstrings and no comments."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings
    ]


# ---------------------------------------------------------------- codes and their page


def test_every_code_is_explained_under_a_heading_of_its_own():
    used = {code for code in chain(*map(literals, SOURCES)) if CODE.fullmatch(code)}

    headings = re.findall(r"^### (.+)$", REFERENCE, re.MULTILINE)

    assert set(headings) == used - {EffaceError.code}
    assert len(headings) == len(set(headings))


@pytest.mark.parametrize("cls", every_class(), ids=lambda cls: cls.__name__)
def test_every_class_is_named_where_its_code_is_explained(cls):
    section = REFERENCE.partition(f"\n### {cls.code}\n")[2].partition("\n#")[0]

    assert f"`{cls.__name__}`" in section


def test_a_text_ends_with_the_address_of_its_code_and_a_message_does_not():
    error = IncompletePolicyError([Problem("E101", "users", "phone", "phone has no rule.")])

    assert str(error).startswith("E101 IncompletePolicyError\n  users.phone has no rule.")
    assert str(error).endswith(
        f"\n  Nothing was changed.\n  {DOCUMENTATION}/reference/errors.md#e101"
    )
    assert DOCUMENTATION not in error.message()


def test_the_address_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["urls"]["Documentation"] == f"{DOCUMENTATION}/README.md"


def test_no_text_names_a_file_of_the_repository():
    """Somebody who installed a wheel has no docs folder."""
    named = [
        (path.name, said)
        for path in SOURCES
        for said in literals(path)
        if "docs/" in said or said.endswith(".md")
    ]

    assert named == []


@pytest.mark.parametrize("page", ["visibility", "visibility-django"])
def test_a_refused_statement_names_the_page_with_other_ways(page):
    error = UnfilteredStatementError("users", "it has a FULL JOIN", page)

    assert f"{DOCUMENTATION}/reference/{page}.md" in error.message()
    assert (ROOT / "docs" / "reference" / f"{page}.md").is_file()


# ---------------------------------------------------------------- why to try again


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ("40001", "because a transaction that ran at the same time changed the same rows"),
        ("40P01", "because this transaction and another one waited for each other (a deadlock)"),
        ("55P03", "because another transaction has locked the rows"),
        (
            "57014",
            "because the statement was canceled, by statement_timeout or by an administrator",
        ),
        ("SQLITE_BUSY", "because another connection has locked the database"),
        ("SQLITE_LOCKED_SHAREDCACHE", "because another connection has locked the database"),
    ],
)
def test_what_may_be_tried_again_says_why(state, cause):
    message = RetryError("posts", "redact", "OperationalError", state).message()

    assert (
        f"The database refused to redact posts, {cause} (OperationalError, SQLSTATE {state})."
        in (message)
    )
    assert "Run the whole transaction again, from its beginning" in message
    assert ("statement_timeout = " in message) == (state == "57014")


# ---------------------------------------------------------------- which constraint


TABLES = (
    "CREATE TABLE towns (id INTEGER PRIMARY KEY)",
    (
        "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT NOT NULL,"
        " town_id INTEGER, nick TEXT, CONSTRAINT one_email UNIQUE (email),"
        " CONSTRAINT lives_in FOREIGN KEY (town_id) REFERENCES towns (id),"
        " CONSTRAINT short_nick CHECK (length(nick) < 5))"
    ),
    "INSERT INTO towns (id) VALUES (1)",
    "INSERT INTO people (id, email, town_id) VALUES (1, 'ada@example.org', 1)",
)
BROKEN = {
    "INSERT INTO people (id, email) VALUES (2, 'ada@example.org')": {
        "sqlite": "UNIQUE (people.email)",
        "postgresql": "one_email of people",
    },
    "INSERT INTO people (id, email) VALUES (1, 'grace@example.org')": {
        "sqlite": "UNIQUE (people.id)",
        "postgresql": "people_pkey of people",
    },
    "DELETE FROM towns": {"sqlite": None, "postgresql": "lives_in of people"},
    "UPDATE people SET nick = 'ada@example.org'": {
        "sqlite": None,
        "postgresql": "short_nick of people",
    },
    "UPDATE people SET email = NULL": {"sqlite": None, "postgresql": "NOT NULL (people.email)"},
}


@pytest.mark.parametrize("statement", BROKEN)
def test_a_constraint_is_named_with_its_table_and_no_value(database, statement):
    with database.connect() as connection:
        for each in TABLES:
            connection.execute(text(each))
        with pytest.raises(IntegrityError) as caught:
            connection.execute(text(statement))
        error = refused("people", "redact", caught.value.orig, is_lost=False, is_conflict=True)

    expected = BROKEN[statement][database.dialect.name]
    assert type(error) is ConstraintError
    assert error.constraint == expected
    named = f"the constraint {expected}" if expected else "a constraint"
    assert f"refused to redact people, because {named} doesn't allow it (" in error.message()
    assert "example.org" not in str(error)


def test_a_trigger_cannot_pass_a_value_off_as_the_name_of_a_column(tmp_path):
    engine = sqlite_engine(tmp_path / "test.db")
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)"))
        connection.execute(text("INSERT INTO people VALUES (1, 'Ada')"))
        connection.execute(
            text(
                "CREATE TRIGGER loud BEFORE UPDATE ON people BEGIN"
                " SELECT RAISE(ABORT, 'UNIQUE constraint failed: people.Ada'); END"
            )
        )
        with pytest.raises(IntegrityError) as caught:
            connection.execute(text("UPDATE people SET name = 'x'"))
        error = refused("people", "redact", caught.value.orig, is_lost=False, is_conflict=True)
    engine.dispose()

    assert error.constraint is None
    assert "Ada" not in str(error)


# ---------------------------------------------------------------- plans


def test_a_plan_that_differs_in_something_else_than_a_count_says_so():
    assert "it counts 1 row in posts, but the database has 2 now" in (
        StalePlanError("posts", 1, 2).message()
    )
    assert "the step for posts is a different one now" in StalePlanError("posts", 3, 3).message()


def test_a_plan_for_somebody_else_says_what_may_differ():
    message = ForeignPlanError().message()

    assert "for a different user, with a different policy, or with a different secret" in message
    assert "Nothing was changed." in message


# ---------------------------------------------------------------- arguments


def closed(bind, **options):
    forum.eraser().close_account(bind, 1, **{"actor": "test"} | options)


WRONG = {
    "actor": (ActorLengthError, ValueError, lambda: closed(Session(), actor="")),
    "batch": (
        BatchError,
        ValueError,
        lambda: forum.eraser().close_accounts(Session(), range(1001), actor="test"),
    ),
    "bind": (BindError, TypeError, lambda: closed(create_engine("sqlite://"))),
    "blocker": (BlockerError, ValueError, lambda: Blocker("Pay.", "javascript:alert(1)")),
    "blocker text": (BlockerError, ValueError, lambda: Blocker({}, "/invoices")),
    "generic": (RuleArgumentError, ValueError, lambda: Generic("kind", "key", "")),
    "identifiers": (FixtureError, ValueError, lambda: assert_no_trace(None, MetaData(), [])),
    "placement": (
        RulePlacementError,
        TypeError,
        lambda: on_close(Delete(), via="x")._set_parent(personal(Clear())),
    ),
    "preset": (RuleArgumentError, ValueError, lambda: preset("nothing")),
    "target": (
        SessionTargetError,
        TypeError,
        lambda: hide_closed(Session, Policy.from_metadata(forum.Base.metadata)),
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_argument_has_a_code_and_is_what_python_calls_it(wrong):
    kind, builtin, call = WRONG[wrong]

    with pytest.raises(EffaceError) as caught:
        call()

    assert type(caught.value) is kind
    assert isinstance(caught.value, builtin)
    assert CODE.match(str(caught.value))


def test_a_batch_that_another_process_closed_is_finalized_one_by_one(database):
    forum.create(database)
    eraser = forum.eraser()
    with database.begin() as connection:
        batch = eraser.close_accounts(connection, [1, 2], actor="test")
    batch = type(batch)(batch.actor, batch.closed_at, batch.steps, batch.receipts)

    with sessionmaker(database).begin() as session:
        with pytest.raises(BatchError) as caught:
            eraser.finalize(session, batch)
        line = str(caught.value).splitlines()[1].rpartition("by itself: ")[2]
        exec(line, {"batch": batch, "eraser": eraser, "session": session})

        for receipt in batch.receipts:
            assert eraser.get_receipt(session, receipt.reference).finalized_at is not None
