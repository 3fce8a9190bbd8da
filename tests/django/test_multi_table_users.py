"""Users spread over two tables, closed from either end, in processes of their own."""

import pytest

from tests.support import databases
from tests.support.django_projects.processes import told

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["child", "parent"])
def person(request):
    """Which of the two models has data_subject()."""
    return request.param


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def left(request, person, server_urls):
    """What is left of Ada, who had rows in both tables and in that of another child."""
    return of_family("closing", request.param, person, server_urls)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def held(request, person, server_urls):
    """What objects do that are held while Ada leaves."""
    return of_family("holding", request.param, person, server_urls)


def of_family(module, kind, person, server_urls):
    if kind == "sqlite":
        return told(f"family.{module}", FAMILY=person)
    url = server_urls["postgresql"]
    databases.emptied(url).dispose()
    return told(f"family.{module}", database=databases.in_django(url), FAMILY=person)


def test_the_rows_of_ancestors_and_children_are_redacted(left, person):
    assert left["problems"] == []
    account, member, staff = (left["rows"][name] for name in ("Account", "Member", "Staff"))
    assert account["email"].endswith("@users.invalid")
    assert (account["name"], account["password"]) == ("", "")
    assert (member["nick"], staff["desk"]) == ("", "")
    moments = {"child": member["deleted_at"], "parent": account["left_at"]}
    assert [name for name, moment in moments.items() if moment] == [person]


def test_nothing_of_somebody_else_changes(left):
    assert left["grace_is_as_before"]
    assert left["posts"][:2] == ["", "by gracehopper"]


def test_rows_about_them_are_found_by_each_name_of_a_kind(left):
    """The admin writes the name of a proxy or a child, where it was asked for one."""
    hers, others = left["remarks"][:5], left["remarks"][5:]

    assert hers == ["", "", "", "", "about a post"]
    assert [text.startswith("gracehopper as") for text in others] == [True] * 4 + [False]


def test_whoever_has_left_is_in_neither_table(left):
    assert left["shown"] == [[left["grace"]], [left["grace"]]]
    assert left["again"]


def test_the_search_knows_what_stood_in_the_ancestors_row(left):
    assert left["found"] == ["family_post.body"]


def test_from_an_account_to_its_member_is_a_search_however_it_is_loaded(left):
    assert left["held by"] == [[None, left["grace"]]] * 3


def test_a_form_keeps_the_account_of_its_row_from_whichever_table(left):
    """Of Ada's note, of Grace's, and of a new one: may Ada have it, and may Grace?"""
    assert left["taken"] == [[True, True], [False, True], [False, True]]


def test_a_list_of_forms_keeps_whoever_has_left_as_the_key_of_their_row(left):
    """Nobody gets a second card: the last form is refused with and without a field for the key."""
    assert left["cards"] == [[{}, {}, {"member": "invalid_choice"}]] * 2
    assert left["colors"] == ["blue", "blue"]


def test_no_object_from_before_reaches_a_row_of_whoever_has_left(held):
    assert set(map(tuple, held["outside"].values())) == {("E610", False)}
    saved = {name: done for name, done in held["inside"].items() if name.startswith("save")}
    assert set(map(tuple, saved.values())) == {("E610", False)}


def test_in_a_block_each_of_them_deletes_the_row(held):
    deleted = {name: done for name, done in held["inside"].items() if name.startswith("delete")}

    assert len(deleted) == 6
    assert set(map(tuple, deleted.values())) == {("done", True)}


def test_what_a_block_loads_from_either_table_it_can_save(held):
    assert set(map(tuple, held["loaded inside"].values())) == {("done", True)}


def test_a_deferred_field_of_whoever_has_left_can_be_read(held):
    assert held["deferred"] == ""


def test_a_child_with_a_key_of_its_own_is_hidden_by_the_key_that_links_it(held):
    assert held["clerks"] == ["grace@example.org"]
