"""``efface work --once``: what a crash left is settled, closing by closing."""

import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from efface import Eraser
from tests.support.databases import refuse
from tests.support.paths import DOCS
from tests.support.schemas import forum
from tests.support.schemas.forum import Token
from tests.test_docs import blocks

PAGE = DOCS / "how-to" / "workers.md"


def late_eraser():
    """The forum's eraser an hour later."""
    return forum.eraser(clock=lambda: forum.NOW + timedelta(hours=1))


@pytest.fixture
def due(efface, database):
    """Run the command an hour later."""

    def run(*arguments):
        named = ["--database", database, "--eraser", f"{__name__}:late_eraser"]
        return efface("work", "--once", *arguments, *named)

    return run


@pytest.fixture
def closed(engine):
    """Ada and Grace, closed and not settled, each with a row that came late; their references."""
    references = []
    for subject in (1, 2):
        with engine.begin() as connection:
            receipt = forum.eraser().close_account(connection, subject, actor="ticket 1")
            references.append(receipt.reference)
    with engine.begin() as connection:
        for subject in (1, 2):
            connection.execute(insert(Token).values(user_id=subject, token=b"late"))
    return references


def tokens(engine):
    with engine.connect() as connection:
        return set(connection.scalars(select(Token.user_id)))


def test_what_is_due_is_settled_and_listed(due, engine, closed):
    result = due()

    assert result.exit_code == 0
    *lines, count = result.stdout.splitlines()
    assert [reference in line for reference, line in zip(closed, lines, strict=True)] == [True] * 2
    assert all("ticket 1 · finalized, not searched" in line for line in lines)
    assert count == "Finalized: 2. Still pending: 0."
    assert tokens(engine) == set()


def test_the_limit_says_how_many(due, engine, closed):
    result = due("--limit", 1)

    assert result.stdout.splitlines()[-1] == "Finalized: 1. Still pending: 1."
    assert tokens(engine) == {2}
    assert due("--limit", 0).exit_code == 2


def test_nothing_due_is_nothing_to_complain_of(due):
    result = due()

    assert (result.exit_code, result.stdout) == (0, "Finalized: 0. Still pending: 0.\n")


def test_one_that_fails_is_named_and_keeps_no_other_waiting(due, engine, closed):
    refuse(engine, "users_tokens", "DELETE", "OLD.user_id = 1")

    result = due("--json")

    assert result.exit_code == 3
    said = json.loads(result.stdout)
    assert [each["reference"] for each in said["finalized"]] == closed[1:]
    assert said["failed"] == [{"reference": closed[0], "error": "E407"}]
    assert said["remaining"] == 1
    assert f"{closed[0]}: E407 ConstraintError" in result.stderr
    # A word of its own: the digits of a reference can spell it.
    assert not re.search(r"\bada\b", result.stdout + result.stderr, re.IGNORECASE)
    assert tokens(engine) == {1}


class Interrupted(Eraser):
    """Ended from outside before it settles a second time."""

    calls = 0

    def run_pending(self, *arguments, **options):
        self.calls += 1
        if self.calls > 1:
            raise KeyboardInterrupt
        return super().run_pending(*arguments, **options)


def interrupted():
    return Interrupted(
        forum.eraser().policy, secret=forum.KEY, clock=lambda: forum.NOW + timedelta(hours=1)
    )


def test_what_was_settled_before_the_command_was_ended_stays_settled(
    efface, database, engine, closed
):
    named = ["--database", database, "--eraser", f"{__name__}:interrupted"]

    assert efface("work", "--once", *named).exit_code != 0

    assert tokens(engine) == {2}


def test_the_task_on_the_page_does_the_same(engine, closed):
    code = next(
        code for language, code in blocks(PAGE) if "run_pending" in code and language == "python"
    )
    written = {"engine": engine, "eraser": late_eraser()}
    exec(code, written)

    assert written["finalize_pending"]() == 0
    assert tokens(engine) == set()
