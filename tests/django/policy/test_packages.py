"""Presets against the packages themselves, in a process with settings of its own."""

from importlib.util import find_spec

import pytest

from tests.support.django_projects.processes import told

PACKAGES = ("allauth", "rest_framework", "rest_framework_simplejwt", "simple_history")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["stay", "go"])
def left(request):
    """What is left of Ada, and of Grace, after Ada has left; her own row stays or goes."""
    if not all(map(find_spec, PACKAGES)):
        pytest.skip("Not all packages of the extra `ecosystem` are installed.")
    return {**told("packages.closing", PEOPLE=request.param), "people": request.param}


def test_every_table_of_the_packages_is_decided(left):
    assert left["problems"] == []


def test_addresses_accounts_and_credentials_go_and_those_of_others_stay(left):
    assert set(left["ada"].values()) == {0}
    assert set(left["grace"].values()) == {1}


def test_a_refresh_token_that_was_refused_stays_refused(left):
    assert left["refused"] == [True, False]
    assert len(left["tokens"]) == 5


def test_former_rows_go_with_the_rows_they_are_of(left):
    assert left["history"] == [0, 0, True, True]


def test_who_changed_a_row_of_somebody_else_is_referred_to_only_while_there_is_a_row(left):
    """Of whoever stays, the reference leads to a former member; a row that goes has none."""
    kept = {"stay": [left["ada_is"], "None"], "go": ["None"]}

    assert left["by"] == kept[left["people"]]
    assert left["notices"] == 2


def test_refreshing_a_token_of_whoever_has_left_is_refused_and_no_failure(left):
    assert left["refreshed"] == [401, 200]


def test_so_is_refreshing_a_sliding_token(left):
    assert left["sliding"] == [[200, 200], [401, 200]]


def test_a_serializer_takes_an_author_who_has_left_for_their_own_post_alone(left):
    """As a form does: what nobody touches stays valid, and nobody who left is chosen anew."""
    posts = {"stay": [[True, True], [True, True]], "go": [[True, True]]}

    assert left["taken"] == posts[left["people"]]
    assert left["taken anew"] == [False, False]


def test_so_does_a_serializer_inside_another_that_knows_its_row(left):
    """Of several posts, or of none, nobody knows which is sent back, unless they are matched."""
    hers, of_grace = [True, False, False, True], [True, True, True, True]

    assert left["taken inside"] == ([hers, of_grace] if left["people"] == "stay" else [of_grace])
    assert left["taken anew inside"] == [False, False, False, False]


def test_a_serializer_field_over_no_database_finds_as_ever(left):
    assert left["thing"] == "thing 7"


def test_who_has_confirmed_to_allauth_who_they_are_has_just_logged_in(left):
    assert left["recent"] == {"never": False, "logged in": False, "confirmed": True}


def test_nothing_is_found_of_the_person(left):
    assert left["found"] == []
