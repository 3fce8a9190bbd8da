"""A connection that switches between schemas, with a shop for each tenant."""

import pytest
from sqlalchemy import make_url

from tests.support import databases
from tests.support.django_projects.processes import told

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]


@pytest.fixture
def closed(server_urls):
    """Close accounts in a database with the schemas of two tenants; outcomes, and what is left."""
    shared = make_url(server_urls["postgresql"])
    with databases.database_on(shared, f"{shared.database}_tenants") as url:
        yield lambda **options: told(
            "tenants.closing", database=databases.in_django(url), **options
        )


def test_users_of_a_tenant_are_closed_in_their_schema_alone(closed):
    """Both tenants have a user with the key 1."""
    outcomes, left = closed(MEMBERS="own", CLOSED_IN="south")

    assert outcomes == {"south": [True, 2]}
    assert left["north"] == ["hers", "ada@north.example"]
    assert left["south"][0] is None
    assert "users.invalid" in left["south"][1]


def test_each_tenant_has_records_of_its_own(closed):
    outcomes, left = closed(MEMBERS="own", CLOSED_IN="north south")

    assert outcomes == {"north": [True, 2], "south": [True, 2]}
    assert left["north"][0] is left["south"][0] is None


def test_users_that_tenants_share_are_refused_in_every_schema(closed):
    """Their orders are in other schemas, which one closure does not reach."""
    outcomes, left = closed(MEMBERS="shared", CLOSED_IN="public north")

    assert outcomes["public"][0] == "E616"
    assert "tenants.Order" in outcomes["public"][1]
    assert outcomes["north"][0] == "E607"
    assert left["north"] == left["south"] == ["hers", "ada@public.example"]
