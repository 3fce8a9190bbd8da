"""``efface adopt`` and ``erase-again``: accounts that were closed earlier."""

import json

import pytest
from sqlalchemy import text

from efface import Receipt
from tests.support.databases import allow, refuse
from tests.support.schemas import forum

ADOPT = ("--before", "2026", "--actor", "ticket 12")


@pytest.fixture
def soft_deleted(engine):
    """Ada and Grace were soft-deleted before Efface came."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE users SET deleted_at = '2024-05-06 07:08:09.000000'"))


def users(engine):
    with engine.connect() as connection:
        return [tuple(r) for r in connection.execute(text("SELECT email, deleted_at FROM users"))]


def test_accounts_that_were_soft_deleted_are_erased_with_their_date(here, engine, soft_deleted):
    result = here("adopt", *ADOPT, "--yes")

    assert result.exit_code == 0
    assert result.stdout.startswith("Adopted: 2. Rows changed: ")
    assert "2 accounts have deleted_at before 2026-01-01 00:00 UTC" in result.stderr
    assert "deleted_at means suspended" in result.stderr
    assert [at for _, at in users(engine)] == ["2024-05-06 07:08:09.000000"] * 2
    assert all("users.invalid" in email for email, _ in users(engine))
    with engine.connect() as connection:
        receipts = forum.eraser().receipts(connection)
    assert [each.actor for each in receipts] == ["ticket 12"] * 2
    assert all(each.search.is_clean and each.finalized_at for each in receipts)

    again = here("adopt", *ADOPT, "--yes")
    assert (again.exit_code, again.stdout) == (0, "Adopted: 0. Rows changed: 0. Failed: 0.\n")
    assert (
        again.stderr == "No account was soft-deleted before 2026-01-01 00:00 UTC without Efface.\n"
    )


def test_without_a_terminal_nobody_has_agreed(here, engine, soft_deleted):
    before = users(engine)

    result = here("adopt", *ADOPT)

    assert result.exit_code == 2
    assert "run the same command with --yes" in result.stderr
    assert "At most, these rows change:" in result.stderr
    assert users(engine) == before


@pytest.mark.parametrize("answer", ["n\n", "", "y\n"])
def test_on_a_terminal_it_asks(here, engine, soft_deleted, monkeypatch, answer):
    monkeypatch.setattr("efface.cli.adopt_command.is_terminal", lambda: True)

    result = here("adopt", *ADOPT, input=answer)

    agreed = answer == "y\n"
    assert result.exit_code == (0 if agreed else 1)
    assert ["users.invalid" in email for email, _ in users(engine)] == [agreed] * 2


def test_one_that_fails_keeps_the_others_going_and_is_tried_again(here, engine, soft_deleted):
    refuse(engine, "posts", "UPDATE", "OLD.author_id = 1")
    result = here("adopt", *ADOPT, "--yes", "--json")

    assert result.exit_code == 3
    assert json.loads(result.stdout)["failed"] == [{"account": "account 1", "error": "E407"}]
    assert "account 1: E407" in result.stderr
    assert "ada" not in (result.stdout + result.stderr).lower()
    assert ["users.invalid" in email for email, _ in users(engine)] == [False, True]

    allow(engine, "posts")
    assert json.loads(here("adopt", *ADOPT, "--yes", "--json").stdout)["accounts"] == 1


@pytest.mark.parametrize("before", ["2999", "2026-13", "yesterday"])
def test_a_date_that_is_none_or_still_to_come_is_refused(here, engine, soft_deleted, before):
    result = here("adopt", "--before", before, "--actor", "x", "--yes")

    assert result.exit_code == 2
    assert result.stderr.startswith("E602 SettingsError\n  --before takes a date")
    assert all("example.org" in email for email, _ in users(engine))


# ---------------------------------------------------------------- again


@pytest.fixture
def closed(here, engine):
    """Ada's account is closed, and then an address comes back that no rule had covered."""
    assert here("close", 1, "--actor", "ticket 1").exit_code == 0
    with engine.begin() as connection:
        connection.execute(text("UPDATE posts SET ip = '192.0.2.9' WHERE author_id = 1"))


def test_one_account_is_erased_again_and_the_first_receipt_stays(here, engine, closed):
    with engine.connect() as connection:
        first = forum.eraser().find_receipt(connection, 1)

    result = here("erase-again", 1, "--actor", "ticket 2", "--json")

    receipt = Receipt.from_json(result.stdout)
    assert result.exit_code == 0
    assert receipt.repeats == first.reference
    assert {step.table: step.rows for step in receipt.steps if step.rows} == {"posts": 3}
    assert result.stderr == (
        "Not searched: the identifiers of these users are gone. So Efface could not look for them "
        "in newsletter.address, posts.body, posts.details.\n"
    )
    text_of = here("erase-again", 1, "--actor", "ticket 3").stdout
    assert text_of.startswith("Erased again · receipt ")
    assert f"The first receipt: {first.reference}" in text_of
    assert f"erased again after {first.reference}, not searched" in here("closed").stdout


def test_all_accounts_are_erased_again(here, engine, closed):
    result = here("erase-again", "--before", "2026-06", "--actor", "ticket 2", "--yes")

    assert result.exit_code == 0
    assert result.stdout.startswith("Erased again: 1. Rows changed: 3. Failed: 0.\nNot searched: ")
    assert "example.org" in users(engine)[1][0]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 2),
        ((1, "--before", "2026"), 2),
        ((2,), 1),
        ((4711,), 2),
        (("--before", "2999", "--yes"), 2),
        (("--before", "2026-06"), 2),
    ],
)
def test_what_is_not_closed_or_not_named_is_not_erased_again(here, closed, arguments, status):
    assert here("erase-again", *arguments, "--actor", "x").exit_code == status
