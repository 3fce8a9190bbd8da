"""Projects with several databases: an account is closed in one of them."""

import pytest

ROUTERS = "tests.support.django_projects.town.routers"


@pytest.fixture
def routed(django, settings_of):
    """A block with another router, in which everything is read anew."""
    from contextlib import contextmanager

    from django.test import override_settings

    @contextmanager
    def with_router(name):
        with override_settings(DATABASE_ROUTERS=[f"{ROUTERS}.{name}"]), settings_of():
            yield

    return with_router


@pytest.mark.parametrize("name", ["LettersElsewhere", "WritesLettersElsewhere"])
def test_models_whose_rows_are_in_another_database_are_named(routed, name):
    from efface import no_personal_data
    from efface.django import Rules
    from efface.django.policy.erasers import find_problems
    from tests.support.django_projects.town.models import Letter

    with routed(name):
        (found,) = [each for each in find_problems("default") if each.code == "W110"]
        assert (found.table, found.level) == ("(database postgresql)", "warning")
        assert found.text.startswith(
            "These models are in the database postgresql, and accounts are closed in default, so a "
            "closure leaves their rows: town.Letter."
        )
        kept, Letter.efface = Letter.efface, Rules(no_personal_data(reason="of the house"))
        try:
            assert "W110" not in {each.code for each in find_problems("default")}
        finally:
            Letter.efface = kept
    assert "W110" not in {each.code for each in find_problems("default")}


def test_an_account_that_was_read_from_a_replica_is_closed_where_accounts_are_written(routed):
    from efface.django.accounts import find_alias
    from tests.support.django_projects.town.models import Person

    person = Person(pk=1)
    person._state.db = "postgresql"

    with routed("ReadsFromAReplica"):
        assert find_alias(person, None) == "default"
    # Without routers, an object knows where it is from.
    assert find_alias(person, None) == "postgresql"
    assert find_alias(person, "default") == "default"
