"""``efface plan``, ``close``, ``verify`` and ``closed`` on a database."""

import json
import sys

import pytest
from sqlalchemy import text

from efface import Plan, Receipt
from tests.cli.conftest import ERASER
from tests.support.databases import KINDS, emptied, sqlite_engine
from tests.support.schemas import forum

ADA = "Ada Lovelace"


def values_of(result):
    """Everything that a command printed."""
    return result.stdout + result.stderr


def deleted_at(engine):
    with engine.connect() as connection:
        return connection.scalar(text("SELECT deleted_at FROM users WHERE id = 1"))


# ---------------------------------------------------------------- plan


def test_a_plan_says_what_would_happen_and_changes_nothing(here, engine):
    with engine.connect() as connection:
        before = forum.everything(connection)

    result = here("plan", 1)

    assert result.exit_code == 0
    assert result.stdout.startswith("Closing users 1 · plan ")
    assert "retain   invoices" in result.stdout
    with engine.connect() as connection:
        assert forum.everything(connection) == before


def test_the_json_of_a_plan_is_the_plan(here, engine):
    result = here("plan", 1, "--json")

    with engine.connect() as connection:
        assert Plan.from_json(result.stdout) == forum.eraser().plan(connection, 1)


def test_the_statements_of_a_plan_hold_no_value(here, engine):
    result = here("plan", 1, "--sql")

    with engine.connect() as connection:
        statements = forum.eraser().statements(connection)
    assert result.stdout.strip() == ";\n\n".join(statements) + ";"
    assert "DELETE FROM users_tokens WHERE users_tokens.user_id = ?;" in result.stdout
    assert "ada" not in result.stdout.lower()


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (["Ada"], "is of type int, but the key that you passed is of another type"),
        (["1", "2"], "is in 2 parts"),
    ],
)
def test_a_key_of_another_kind_is_wrong_usage(here, key, says):
    result = here("plan", *key)

    assert result.exit_code == 2
    assert "E406 SubjectKeyError" in result.stderr
    assert says in result.stderr
    assert "Ada" not in values_of(result)


def test_a_key_that_nobody_has_is_wrong_usage(here):
    result = here("plan", 99)

    assert result.exit_code == 2
    assert "E401 UnknownSubjectError" in result.stderr


def test_the_plan_of_a_closed_account_says_since_when(here):
    receipt = Receipt.from_json(here("close", 1, "--actor", "x", "--json").stdout)

    said, data = here("plan", 1), here("plan", 1, "--json")

    sentence = f"This account was closed on 2026-05-04 12:30 UTC: receipt {receipt.reference}. "
    assert said.exit_code == 0
    assert said.stdout == f"{sentence}Closing it again changes nothing.\n"
    assert Plan.from_json(data.stdout).is_empty
    assert sentence in data.stderr


# ---------------------------------------------------------------- close


def test_closing_commits_settles_and_shows_the_receipt(here, engine):
    result = here("close", 1, "--actor", "ticket 8114")

    assert result.exit_code == 0
    assert deleted_at(engine) is not None
    assert " · ticket 8114" in result.stdout
    assert "until 2036-12-31: legal obligation: tax law" in result.stdout
    assert "clean" in result.stdout
    assert ADA not in values_of(result)


def test_the_json_of_a_closing_is_its_receipt(here):
    receipt = Receipt.from_json(here("close", 1, "--actor", "x", "--json").stdout)

    assert receipt.actor == "x"
    assert receipt.finalized_at is not None
    assert receipt.search.is_clean


def test_closing_again_answers_the_first_receipt(here):
    first = Receipt.from_json(here("close", 1, "--actor", "x", "--json").stdout)

    result = here("close", 1, "--actor", "y")

    assert result.exit_code == 0
    assert first.reference in result.stdout
    assert "This account was already closed. Nothing was changed." in result.stdout


def test_a_closing_without_an_actor_is_wrong_usage(here, engine):
    result = here("close", 1)

    assert result.exit_code == 2
    assert deleted_at(engine) is None


@pytest.mark.parametrize("actor", ["", "x" * 201])
def test_an_actor_of_no_or_too_many_letters_is_wrong_usage(here, engine, actor):
    result = here("close", 1, "--actor", actor)

    assert result.exit_code == 2
    assert "--actor must be 1 to 200 characters long." in result.stderr
    assert deleted_at(engine) is None


def test_a_plan_that_somebody_read_is_carried_out(here, efface):
    path = efface.project / "plan.json"
    path.write_text(here("plan", 1, "--json").stdout)

    assert here("close", 1, "--actor", "x", "--plan", path).exit_code == 0


def test_a_stale_plan_is_refused(here, efface, engine):
    path = efface.project / "plan.json"
    path.write_text(here("plan", 1, "--json").stdout)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM posts WHERE author_id = 1"))

    result = here("close", 1, "--actor", "x", "--plan", path)

    assert result.exit_code == 1
    assert "E402 StalePlanError" in result.stderr
    assert deleted_at(engine) is None


@pytest.mark.parametrize("content", [None, "no json", "{}"])
def test_a_file_that_is_no_plan_is_wrong_usage(here, efface, engine, content):
    path = efface.project / "plan.json"
    if content is not None:
        path.write_text(content)

    result = here("close", 1, "--actor", "x", "--plan", path)

    assert result.exit_code == 2
    assert "plan.json" in result.stderr
    assert deleted_at(engine) is None


class Terminal:
    """Standard input as a person has it."""

    def __init__(self, stream):
        self._stream = stream

    def isatty(self):
        return True

    def __getattr__(self, name):
        return getattr(self._stream, name)


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 1)])
def test_on_a_terminal_the_plan_is_shown_and_somebody_asked(
    here, engine, monkeypatch, answer, status
):
    terminal = property(lambda _: Terminal(sys.__stdin__))
    monkeypatch.setattr(
        "efface.console.command_arguments.sys", type("System", (), {"stdin": terminal})()
    )

    result = here("close", 1, "--actor", "x", input=answer)

    assert result.exit_code == status
    assert "Closing users 1 · plan" in result.stderr
    assert (deleted_at(engine) is None) is (status == 1)


def test_about_an_account_that_is_closed_nobody_is_asked(here, monkeypatch):
    here("close", 1, "--actor", "x")
    terminal = property(lambda _: Terminal(sys.__stdin__))
    monkeypatch.setattr(
        "efface.console.command_arguments.sys", type("System", (), {"stdin": terminal})()
    )

    result = here("close", 1, "--actor", "y")

    assert result.exit_code == 0
    assert "Close this account?" not in result.stderr
    assert "This account was already closed. Nothing was changed." in result.stdout


def test_what_the_search_still_finds_is_its_own_exit_status(here, engine):
    """A copy of the name in a table that nobody is thought to be in."""
    with engine.begin() as connection:
        connection.execute(text(f"INSERT INTO categories (title) VALUES ('{ADA}''s')"))

    result = here("close", 1, "--actor", "x")

    assert result.exit_code == 4
    assert "still found in categories.title (1)" in result.stdout
    assert "The account is closed, receipt " in result.stderr
    assert "another user may have the same name" in result.stderr
    assert deleted_at(engine) is not None
    assert ADA not in values_of(result)


# ---------------------------------------------------------------- verify


@pytest.fixture
def identifiers(efface):
    path = efface.project / "identifiers"
    path.write_text(f"{ADA}\n\n  ada@example.org \nAda\n")
    return path


def test_nothing_found_is_verified(here, identifiers):
    here("close", 1, "--actor", "x")

    result = here("verify", 1, "--identifiers", identifiers)

    assert result.exit_code == 0
    assert "clean" in result.stdout
    assert "kept    invoices.billing_name: 2" in result.stdout
    assert "1 too short to search for" in result.stdout


def test_what_is_found_is_reported_by_place_and_never_by_value(here, identifiers):
    result = here("verify", 1, "--identifiers", identifiers)

    assert result.exit_code == 4
    assert "found   users.name: 1" in result.stdout
    assert "lovelace" not in values_of(result).lower()


def test_a_search_for_a_key_that_no_row_has_says_so(here, identifiers):
    result = here("verify", 99, "--identifiers", identifiers)

    assert result.exit_code == 4
    assert (
        "No row of users has this primary key. Efface searches for the identifiers" in result.stderr
    )


def test_identifiers_come_from_standard_input_as_well(here):
    result = here("verify", 1, "--identifiers", "-", "--json", input=f"{ADA}\n")

    data = json.loads(result.stdout)
    assert result.exit_code == 4
    assert not data["is_clean"]
    assert {"table": "users", "column": "name", "rows": 1} in data["findings"]


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b"\xff\xfe\x00"])
def test_a_file_without_identifiers_is_wrong_usage(here, efface, content):
    path = efface.project / "identifiers"
    if content is not None:
        path.write_bytes(content)

    assert here("verify", 1, "--identifiers", path).exit_code == 2


# ---------------------------------------------------------------- closed


def test_closings_are_listed_with_what_became_of_them(here, engine):
    here("close", 1, "--actor", "ticket 1")
    with engine.begin() as connection:
        forum.eraser().close_account(connection, 2, actor="ticket 2")

    result = here("closed")

    first, second, count = result.stdout.splitlines()
    assert first.startswith("2026-05-04 12:30  ")
    assert first.endswith("ticket 1 · clean · kept until 2036-12-31")
    assert second.endswith("ticket 2 · not finalized · kept until 2036-12-31")
    assert count == "2 account closures."


@pytest.mark.parametrize(
    ("since", "number"),
    [("2026", 1), ("2026-05", 1), ("2026-05-04", 1), ("2026-05-05", 0), ("2027", 0)],
)
def test_closings_can_be_listed_since_a_date(here, since, number):
    here("close", 1, "--actor", "x")

    result = here("closed", "--since", since, "--json")

    found = [Receipt.from_json(json.dumps(each)) for each in json.loads(result.stdout)]
    assert len(found) == number
    assert {receipt.closed_at for receipt in found} <= {forum.NOW}


def test_what_is_no_date_is_wrong_usage(here):
    result = here("closed", "--since", "yesterday")

    assert result.exit_code == 2
    assert "2026-01-31" in result.stderr


# ---------------------------------------------------------------- the database


@pytest.fixture(params=KINDS)
def any_database(request, tmp_path):
    """The URL of a forum, once for each kind of database."""
    if request.param == "sqlite":
        engine = sqlite_engine(tmp_path / "any.db")
    else:
        engine = emptied(request.getfixturevalue("server_urls")[request.param])
    forum.create(engine)
    engine.dispose()
    return engine.url.render_as_string(hide_password=False)


def test_a_database_without_our_tables_is_an_error_of_the_database(here, engine):
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE efface_closings"))

    assert here("plan", 1).exit_code == 3
    result = here("closed")
    assert result.exit_code == 3
    assert "OperationalError" in result.stderr
    assert "efface_closings" not in result.stderr


def test_a_database_that_refuses_says_so_without_its_words(here, engine):
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER no BEFORE UPDATE ON users WHEN NEW.name IS NULL "
                "BEGIN SELECT RAISE(ABORT, 'Ada Lovelace stays'); END"
            )
        )

    result = here("close", 1, "--actor", "x")

    assert result.exit_code == 3
    assert ADA not in values_of(result)
    assert deleted_at(engine) is None


def test_every_command_works_on_every_database(efface, any_database):
    named = ["--database", any_database]
    project = efface.project / "identifiers"
    project.write_text(f"{ADA}\n")

    ends = [
        efface(command, *arguments, *named, *eraser).exit_code
        for command, arguments, eraser in (
            ("draft", [], []),
            ("check", ["--strict"], ["--eraser", ERASER]),
            ("plan", ["1", "--sql"], ["--eraser", ERASER]),
            ("plan", ["1"], ["--eraser", ERASER]),
            ("verify", ["1", "--identifiers", project], ["--eraser", ERASER]),
            ("close", ["1", "--actor", "x"], ["--eraser", ERASER]),
            ("verify", ["1", "--identifiers", project], ["--eraser", ERASER]),
            ("closed", ["--since", "2026-05-04"], []),
            ("work", ["--once"], ["--eraser", ERASER]),
        )
    ]

    assert ends == [0, 0, 0, 0, 4, 0, 0, 0, 0]
