"""Closings under settings of Django that change transactions and times."""

from datetime import UTC, datetime

import pytest

URL = "/leave/"


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

    answer = asked(ada, lambda: during.append(town.receipts()[0].settled_at))

    assert answer.content == b"bye"
    assert town.Person.get(pk=ada.pk).deleted_at
    assert during == [None]
    assert town.receipts()[0].settled_at


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
