"""Accounts that were soft-deleted before Efface came, and those closed by fewer rules."""

import json
from datetime import UTC, datetime

import pytest

from efface import Receipt

LONG_AGO = datetime(2021, 5, 4, 12, 30, 15, tzinfo=UTC)


@pytest.fixture
def soft_deleted(town):
    """Ada and Grace were soft-deleted before Efface came, and Bob lives on; their keys."""
    people = [town.ada(), town.person("grace")]
    town.person("bob", last_name="Builder")
    keys = [person.pk for person in people]
    town.Person.filter(pk__in=keys).update(deleted_at=LONG_AGO)
    return keys


@pytest.fixture
def sent(django):
    """The signals that were sent, with their subjects."""
    from efface.django import account_closed, account_erased, account_finalized

    found = []

    def note(signal, receipt, subject=None, **_):
        found.append((names[signal], subject, receipt.reference))

    names = {account_closed: "closed", account_erased: "erased", account_finalized: "finalized"}
    for signal in names:
        signal.connect(note)
    yield found
    for signal in names:
        signal.disconnect(note)


def people(town):
    return {p.pk: (p.email, p.deleted_at) for p in town.Person.all()}


def test_adopting_is_like_closing_but_for_the_date(town, soft_deleted, sent):
    from efface.django import adopt, plan

    ada, grace = soft_deleted
    planned = plan(ada, using=town.alias)
    receipt = adopt(ada, actor="ticket 12", using=town.alias)

    assert sent == [
        ("closed", ada, receipt.reference),
        ("erased", ada, receipt.reference),
        ("finalized", None, receipt.reference),
    ]
    assert receipt.closed_at == LONG_AGO
    assert receipt.search.is_clean
    assert [s.rows for s in planned.steps] == [s.rows for s in receipt.steps]
    assert people(town)[ada][0] != "ada@example.org"
    assert people(town)[grace][0] == "grace@example.org"
    assert plan(ada, using=town.alias).steps == ()


def test_the_command_adopts_all_of_them(town, soft_deleted, ended, sent):
    before = people(town)
    refused = ended("adopt", "--before", "2026", "--actor", "ticket 12")

    assert refused.status == 2
    assert "2 accounts have deleted_at before 2026-01-01 00:00 UTC" in refused.error
    assert people(town) == before

    done = ended("adopt", "--before", "2026", "--actor", "ticket 12", "--yes", "--json")

    assert done.status == 0
    assert json.loads(done.out)["accounts"] == 2
    assert [name for name, *_ in sent] == ["closed", "erased", "finalized"] * 2
    changed = {pk for pk, person in people(town).items() if person != before[pk]}
    assert changed == set(soft_deleted)
    assert ended("adopt", "--before", "2026", "--actor", "x", "--yes").out.startswith("Adopted: 0.")


def test_the_command_erases_again(town, ended, sent):
    ada = town.ada()
    first = town.close(ada)
    town.Letter.create(address="x@example.org")
    sent.clear()

    done = ended("erase-again", ada.pk, "--actor", "ticket 2", "--json")

    receipt = Receipt.from_json(done.out)
    assert (receipt.repeats, receipt.rows) == (first.reference, 0)
    assert sent == [("erased", ada.pk, receipt.reference)]
    assert "the identifiers of these users are gone" in done.error
    everybody = ended("erase-again", "--before", "2999", "--actor", "x", "--yes")
    assert everybody.status == 2
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    assert ended("erase-again", "--before", today, "--actor", "x", "--yes").status == 0
    assert ended("erase-again", town.person("bob").pk, "--actor", "x").status == 1
    assert ended("erase-again", "--actor", "x").status == 2


def test_one_that_fails_is_named_and_the_others_go_on(town, soft_deleted, ended):
    from django.db import connections

    before = people(town)
    with connections[town.alias].cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX once ON town_person (last_name)")
    try:
        done = ended("adopt", "--before", "2026", "--actor", "x", "--yes")
    finally:
        with connections[town.alias].cursor() as cursor:
            cursor.execute("DROP INDEX once")

    assert done.status == 3
    assert f"account {soft_deleted[1]}: E407" in done.error
    assert "1 of 2 accounts were not erased." in done.error
    assert "grace@" not in done.error
    assert people(town)[soft_deleted[1]] == before[soft_deleted[1]]
