"""A shop of ninety tables that nobody wrote for this package, in a process of its own."""

from importlib.util import find_spec

import pytest

from tests.support import databases
from tests.support.django_projects.processes import told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
TABLES = 93


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def left(request, server_urls):
    """What is left of a customer who ordered, reviewed, and had lists, addresses and mail."""
    if not find_spec("oscar"):
        pytest.skip("django-oscar of the extra `ecosystem` is not installed.")
    if request.param == "sqlite":
        return told("shop.closing")
    url = server_urls["postgresql"]
    databases.emptied(url).dispose()
    return told("shop.closing", database=databases.in_django(url))


def test_every_table_of_the_shop_is_decided(left):
    assert left["tables"] == TABLES
    assert left["problems"] == []


def test_orders_and_their_sums_stay_and_are_nobodys(left):
    assert left["story"]["orders_are_as_before"]
    assert left["story"]["customers_of_orders"] == [None]


def test_the_account_goes_and_no_column_mentions_the_customer(left):
    assert left["story"]["was_there"]
    assert not left["story"]["account"]
    assert left["story"]["left"] == ""
    assert left["story"]["found"] == []


def test_no_row_of_another_customer_or_of_the_shop_changes(left):
    assert left["story"]["changed"] == []


def test_nothing_is_left_of_a_person_who_stood_in_every_column(left):
    assert left["everywhere"]["left"] == ""
    assert left["everywhere"]["found"] == []
    assert left["everywhere"]["bystander"]
