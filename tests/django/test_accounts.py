"""Accounts closed by Django's own means, on SQLite and PostgreSQL."""

from contextlib import nullcontext

import pytest


@pytest.fixture
def lived_in(town):
    """Ada, with a row in every table, and Grace, with the same."""
    people = [town.ada(), town.person()]
    tag = town.Tag.create(slug="gardens")
    for number, person in enumerate(people):
        other = people[1 - number]
        person.friends.add(other)
        post = town.Post.create(
            author=person,
            editor=other,
            body=f"Written by {person.last_name}, not by anybody else",
            notes={"by": [person.last_name]},
        )
        post.tags.add(tag)
        town.Comment.create(post=post, text="Well said")
        town.Badge.create(holder=person, title="Gardener")
        town.Line.create(owner=person, number=1, text="a line of mine")
        town.Receipt.create(person=person, issued_on="2026-01-31", name=person.last_name)
        town.Letter.create(address=person.email)
        town.Register.create(who=person, remark="seen on the market")
    trader = town.models.Trader(person_ptr=people[0], vat="GB 1815", preferences={"tea": True})
    trader.save_base(raw=True, using=town.alias)
    return people


def test_every_kind_of_reference_leads_to_the_person(town, lived_in):
    ada, grace = lived_in

    receipt = town.close(ada.pk)

    row = town.Person.get(pk=ada.pk)
    assert row.email.endswith("@users.invalid")
    assert (row.nick, row.first_name, row.is_active) == (None, "", False)
    assert row.deleted_at == receipt.closed_at
    post = town.Post.get(author=ada)
    assert post.body == "Written by a former member, not by anybody else"
    assert post.notes == {"by": ["a former member"]}
    assert town.Post.get(author=grace).editor_id is None
    assert town.Comment.get(post=post).text == ""
    assert town.Line.get(owner=ada).text == ""
    assert town.Receipt.get(person=ada).name == "Lovelace"
    assert town.Register.get(who=ada).remark is None
    assert town.Trader.get(pk=ada.pk).preferences is None
    assert not town.Badge.exclude(holder=grace).exists()
    assert not grace.friends.exists()
    assert [letter.address for letter in town.Letter.all()] == [grace.email]


def test_nothing_of_the_other_person_changes(town, lived_in):
    ada, grace = lived_in

    town.close(ada)

    assert town.Person.get(pk=grace.pk).email == "grace@example.org"
    assert town.Post.get(author=grace).body == "Written by Hopper, not by anybody else"
    assert town.Badge.get().holder == grace
    assert town.Line.get(owner=grace).text == "a line of mine"


def test_the_search_after_the_commit_finds_nothing_but_what_is_kept(town, lived_in):
    receipt = town.close(lived_in[0])

    assert receipt.finalized_at is not None
    assert receipt.search.is_clean
    assert [(found.table, found.column) for found in receipt.search.kept] == [
        ("town_receipt", "name")
    ]


def test_closing_again_answers_the_first_receipt(town, lived_in):
    first = town.close(lived_in[0])

    again = town.close(lived_in[0])

    assert again.already_closed
    assert again.reference == first.reference


def test_django_sees_every_statement(town, lived_in):
    town.close(lived_in[1])

    with town.statements() as found:
        receipt = town.close(lived_in[0], finalize=False)

    from efface.django import eraser

    assert receipt.steps
    assert any(query["sql"].startswith("UPDATE town_person SET") for query in found)
    assert len(found) >= len(eraser(town.alias).policy.tables) - 5


def test_closing_is_undone_with_the_transaction_around_it(town, lived_in):
    from django.db import transaction

    ada = lived_in[0]
    with transaction.atomic(using=town.alias):
        town.close(ada)
        transaction.set_rollback(True, using=town.alias)

    row = town.Person.get(pk=ada.pk)
    assert (row.email, row.deleted_at) == ("ada@example.org", None)


def test_an_object_loaded_before_cannot_write_back_what_is_gone(town, lived_in):
    from efface.django import include_closed

    ada = lived_in[0]

    town.close(ada)
    ada.is_staff = True
    with include_closed():
        ada.save(using=town.alias)

    row = town.Person.get(pk=ada.pk)
    assert row.is_staff
    assert row.last_name == "former resident"
    assert ada.email == row.email


def test_signals_come_after_the_commit(town, lived_in):
    from django.db import transaction

    from efface.django import account_closed, account_erased, account_finalized

    seen = []

    def closed(sender, subject, receipt, using, **_):
        seen.append(("closed", sender.__name__, subject, receipt.search, using))

    def erased(sender, subject, receipt, using, **_):
        seen.append(("erased", sender.__name__, subject, receipt.search, using))

    def finalized(sender, receipt, using, **_):
        seen.append(("finalized", receipt.search.is_clean, using))

    account_closed.connect(closed)
    account_erased.connect(erased)
    account_finalized.connect(finalized)
    try:
        with transaction.atomic(using=town.alias):
            town.close(lived_in[0])
            before = list(seen)
    finally:
        account_closed.disconnect(closed)
        account_erased.disconnect(erased)
        account_finalized.disconnect(finalized)

    assert before == []
    gone = ("Person", lived_in[0].pk, None, town.alias)
    assert seen == [("closed", *gone), ("erased", *gone), ("finalized", True, town.alias)]


def test_an_eraser_outside_of_a_transaction_is_refused(town, lived_in):
    from efface import EffaceError
    from efface.django import sqlalchemy_connection

    with (
        pytest.raises(EffaceError, match=r"transaction\.atomic"),
        sqlalchemy_connection(town.alias),
    ):
        pass


def test_a_refusing_database_leaves_everything_as_it_was_and_says_no_value(town, lived_in):
    from django.db import connections, transaction

    from efface.errors import StatementError

    ada = lived_in[0]
    with transaction.atomic(using=town.alias):
        with connections[town.alias].cursor() as cursor:
            cursor.execute("ALTER TABLE town_line RENAME TO elsewhere")
        with pytest.raises(StatementError) as caught:
            town.close(ada)
        assert town.Person.get(pk=ada.pk).email == "ada@example.org"
        with connections[town.alias].cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO town_line")

    assert caught.value.code == "E409"
    assert "ada" not in str(caught.value)


def test_a_plan_counts_what_closing_then_does(town, lived_in):
    from efface.django import plan

    made = plan(lived_in[0], using=town.alias)
    receipt = town.close(lived_in[0], plan=made, finalize=False)

    assert {step.table: step.rows for step in made.steps} == {
        step.table: step.rows for step in receipt.steps
    }


def test_the_user_of_a_request_is_forgotten_as_well(town, lived_in):
    from django.utils.functional import SimpleLazyObject

    from efface.django import include_closed

    user = SimpleLazyObject(lambda: town.Person.get(pk=lived_in[0].pk))
    assert user.last_name == "Lovelace"

    town.close(user)
    user.is_staff = True
    with include_closed():
        user.save(using=town.alias)

    row = town.Person.get(pk=user.pk)
    assert (row.is_staff, row.last_name) == (True, "former resident")


def test_a_read_only_database_is_named_as_such(town, lived_in):
    from django.db import connections

    from efface.errors import ReadOnlyError

    connection = connections[town.alias]
    on_postgresql = connection.vendor == "postgresql"
    off, on = (
        ("SET default_transaction_read_only = on", "SET default_transaction_read_only = off")
        if on_postgresql
        else ("PRAGMA query_only = on", "PRAGMA query_only = off")
    )
    with connection.cursor() as cursor:
        cursor.execute(off)
    try:
        with pytest.raises(ReadOnlyError):
            town.close(lived_in[0])
    finally:
        with connection.cursor() as cursor:
            cursor.execute(on)

    assert town.Person.get(pk=lived_in[0].pk).email == "ada@example.org"


def test_a_batch_is_closed_through_the_eraser_itself(town, lived_in):
    from django.db import transaction

    from efface.django import eraser, sqlalchemy_connection

    keys = [person.pk for person in lived_in]
    with transaction.atomic(using=town.alias), sqlalchemy_connection(town.alias) as bind:
        batch = eraser(town.alias).close_accounts(bind, keys, actor="ticket 8114")

    assert len(batch.receipts) == 2
    assert not town.Person.filter(deleted_at=None).exists()


def test_constraints_still_wait_for_the_commit_afterwards(town, lived_in):
    """The engine has them checked at once; the caller's own statements need not be in order."""
    from django.db import transaction

    grace = town.person("hedy")
    with transaction.atomic(using=town.alias):
        town.close(lived_in[0], finalize=False)
        badge = town.Badge.create(holder_id="later@example.org", title="Inventor")
        grace.email = "later@example.org"
        grace.save(using=town.alias)

    assert town.Badge.get(pk=badge.pk).holder == grace


def test_what_is_checked_at_once_is_still_checked_at_once_afterwards(town, lived_in):
    from django.db import IntegrityError, connections, transaction

    # On SQLite Django makes no constraint that can wait.
    is_there = connections[town.alias].features.supports_deferrable_unique_constraints
    refused = pytest.raises(IntegrityError) if is_there else nullcontext()
    with transaction.atomic(using=town.alias):
        town.close(lived_in[0], finalize=False)
        town.Tag.create(slug="pistons", place=1)
        with refused, transaction.atomic(using=town.alias):
            town.Tag.create(slug="valves", place=1)

    assert town.Person.filter(pk=lived_in[0].pk, deleted_at=None).count() == 0


def test_a_view_that_nobody_made_here_is_not_searched(town):
    from efface.django import eraser

    receipt = town.close(town.ada())

    assert receipt.search.is_clean
    assert "weather_of_today" not in eraser(town.alias).policy.tables


def test_what_a_crash_left_is_settled_once_and_said_after_the_commit(town, lived_in, settings_of):
    from datetime import timedelta

    from efface.django import account_finalized
    from efface.django.accounts import run_pending

    for person in lived_in:
        town.close(person, finalize=False)
    town.Badge.create(holder=lived_in[0], title="late")
    heard = []
    account_finalized.connect(
        lambda receipt, **_: heard.append(receipt), weak=False, dispatch_uid="t"
    )
    later = town.receipts()[0].closed_at + timedelta(hours=1)

    try:
        assert run_pending(using=town.alias).receipts == ()
        with settings_of(CLOCK=lambda: later):
            done = run_pending(using=town.alias)
            again = run_pending(using=town.alias)
    finally:
        account_finalized.disconnect(dispatch_uid="t")

    assert [receipt.late for receipt in done.receipts] == [1, 0]
    assert [receipt.search for receipt in done.receipts] == [None, None]
    assert heard == list(done.receipts) == town.receipts()
    assert (done.remaining, again.receipts) == (0, ())
    assert not town.Badge.exists()


def test_the_command_settles_what_is_due(town, lived_in, settings_of):
    from datetime import timedelta

    town.close(lived_in[0], finalize=False)
    later = town.receipts()[0].closed_at + timedelta(hours=1)

    with settings_of(CLOCK=lambda: later):
        said = town.command("work", "--once", "--limit", "5")

    assert said.splitlines()[-1] == "Finalized: 1. Still pending: 0."
    assert "finalized, not searched" in said
    assert "Lovelace" not in said
