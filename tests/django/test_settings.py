"""Closings under settings of Django that change transactions and times."""

import re
from datetime import UTC, datetime

import pytest

from tests.support.paths import DOCS

URL = "/leave/"


@pytest.mark.usefixtures("django")
def test_the_reference_names_every_setting():
    from efface.django.settings import KNOWN

    page = (DOCS / "reference" / "django-settings.md").read_text()

    assert sorted(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)) == sorted(KNOWN)


@pytest.fixture
def asked(town, monkeypatch):
    """Ask a view that closes Ada's account, in the transaction that Django opens for a request."""
    from django.db import connections
    from django.http import HttpResponse
    from django.test import Client, override_settings
    from django.urls import path

    monkeypatch.setitem(connections.settings[town.alias], "ATOMIC_REQUESTS", True)

    def ask(person, then):
        def view(_request):
            town.close(person)
            then()
            return HttpResponse("bye")

        with override_settings(ROOT_URLCONF=(path("leave/", view),), ALLOWED_HOSTS=["testserver"]):
            return Client().post(URL)

    return ask


def test_a_closing_is_committed_with_the_request(town, asked):
    ada, during = town.ada(), []

    answer = asked(ada, lambda: during.append(town.receipts()[0].finalized_at))

    assert answer.content == b"bye"
    assert town.Person.get(pk=ada.pk).deleted_at
    assert during == [None]
    assert town.receipts()[0].finalized_at


def test_a_request_that_fails_leaves_the_account_open(town, asked):
    ada = town.ada()

    def fail():
        raise LookupError

    with pytest.raises(LookupError):
        asked(ada, fail)

    assert town.Person.get(pk=ada.pk).email == "ada@example.org"
    assert town.receipts() == []


def test_without_time_zones_moments_are_those_of_the_clock(town):
    from django.test import override_settings

    began = datetime.now(UTC).replace(microsecond=0)
    with override_settings(USE_TZ=False):
        ada = town.ada()

        receipt = town.close(ada)
        again = town.close(ada.pk)
        marked = town.Person.get(pk=ada.pk).deleted_at

    assert marked.tzinfo is None
    assert began <= receipt.closed_at <= datetime.now(UTC)
    assert again.already_closed
    assert again.closed_at == receipt.closed_at == town.receipts()[0].closed_at
    assert receipt.search.is_clean


@pytest.fixture
def by_hand(town):
    """The connection as AUTOCOMMIT = False in DATABASES leaves it: whoever writes also commits."""
    from django.db import transaction

    ada = town.ada()
    transaction.set_autocommit(False, using=town.alias)
    try:
        yield ada
    finally:
        transaction.rollback(using=town.alias)
        transaction.set_autocommit(True, using=town.alias)


def test_a_connection_without_autocommit_closes_nobody(town, by_hand):
    """Django would neither commit the closing nor do what follows it."""
    from django.db import transaction

    from efface.errors import AutocommitOffError

    with pytest.raises(AutocommitOffError, match=r"Nothing was changed\.") as refused:
        town.close(by_hand)
    transaction.commit(using=town.alias)

    assert f'DATABASES["{town.alias}"]' in str(refused.value)
    assert town.Person.get(pk=by_hand.pk).email == "ada@example.org"
    assert town.receipts() == []


def test_a_block_of_ones_own_commits_no_more_without_autocommit(town, by_hand):
    from django.db import transaction

    from efface.errors import AutocommitOffError

    with transaction.atomic(using=town.alias), pytest.raises(AutocommitOffError):
        town.close(by_hand)
    transaction.commit(using=town.alias)

    assert town.Person.get(pk=by_hand.pk).email == "ada@example.org"
    assert town.receipts() == []


def test_an_inner_block_is_no_reason_to_refuse(town):
    """Inside of a transaction Django's connection has no autocommit either."""
    from django.db import transaction

    ada = town.ada()
    with transaction.atomic(using=town.alias), transaction.atomic(using=town.alias):
        town.close(ada)

    assert town.receipts()[0].finalized_at
