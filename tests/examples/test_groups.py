"""Groups: no group that others are in is left without an organizer, whoever leaves."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from efface.errors import BlockedError
from garden.account_closing import LABELS
from garden.models import PlotGroup, PlotGroupMember
from tests.support.gardens import PASSWORD

CLOSE = "/users/settings/close"
CONSENT = {"current_password": PASSWORD, "confirm": "yes"}
GRACE = "grace@garden.example"


@pytest.fixture
def ada(garden):
    return garden.member(name="Ada Lovelace")


@pytest.fixture
def grace(garden):
    return garden.member(GRACE, name="Grace Hopper")


def group(garden, **organizes):
    """A group with members by key, and whether each organizes it."""
    garden.add(found := PlotGroup(name="Herb spiral"))
    garden.add(
        *(
            PlotGroupMember(group_id=found.id, user_id=int(key[1:]), is_organizer=is_organizer)
            for key, is_organizer in organizes.items()
        )
    )
    return found.id


def test_the_last_organizer_is_led_to_the_group_and_leaves_after_naming_another(garden, ada, grace):
    herbs = group(garden, **{f"u{ada}": True, f"u{grace}": False})
    browser = garden.signed_in()
    browser.open("/users/settings")
    refused = browser.submit(CLOSE, **CONSENT)
    page = browser.open("/users/settings").text
    german = browser.get("/users/settings", headers={"Accept-Language": "de"}).text

    browser.open(f"/groups/{herbs}")
    browser.submit(f"/groups/{herbs}/organizers", member=grace)
    browser.open("/users/settings")
    answer = browser.submit(CLOSE, **CONSENT)

    assert refused.status_code == 409
    assert f'<a href="/groups/{herbs}">You are the last organizer of Herb spiral.</a>' in page
    assert f'<a href="/groups/{herbs}">Außer Ihnen organisiert niemand Herb spiral.</a>' in german
    assert ' disabled aria-describedby="efface-blockers">Delete account</button>' in page
    assert answer.status_code == 303
    assert garden.row(ada)["deleted_at"]
    assert [(row["user_id"], bool(row["is_organizer"])) for row in members(garden)] == [
        (grace, True)
    ]


def members(garden):
    return garden.rows("SELECT * FROM plot_group_members ORDER BY user_id")


def test_who_is_alone_in_a_group_or_only_a_member_may_go(garden, ada, grace):
    group(garden, **{f"u{ada}": False, f"u{grace}": True})

    garden.leave(ada)
    garden.leave(grace)

    assert members(garden) == []


def test_two_organizers_at_once_do_not_both_go(garden, ada, grace):
    third = garden.member("third@garden.example")
    group(garden, **{f"u{ada}": True, f"u{grace}": True, f"u{third}": False})

    def go(user_id):
        try:
            return garden.leave(user_id)
        except BlockedError:
            return None

    with ThreadPoolExecutor(2) as both:
        receipts = list(both.map(go, (ada, grace)))

    assert receipts.count(None) == 1
    assert sum(bool(row["is_organizer"]) for row in members(garden)) == 1


def test_only_an_organizer_names_another_and_only_a_member(garden, ada, grace):
    stranger = garden.member("stranger@garden.example")
    herbs = group(garden, **{f"u{ada}": True, f"u{grace}": False})

    def organizers_after(by, member):
        garden.signed_in(by).submit(f"/groups/{herbs}/organizers", member=member)
        return [row["user_id"] for row in members(garden) if row["is_organizer"]]

    assert organizers_after(GRACE, grace) == [ada]
    assert organizers_after("stranger@garden.example", grace) == [ada]
    assert organizers_after("ada@garden.example", stranger) == [ada]
    assert organizers_after("ada@garden.example", grace) == [ada, grace]
    assert [row["user_id"] for row in members(garden)] == [ada, grace]


def test_the_page_of_a_group_is_for_its_members(garden, ada, grace):
    herbs = group(garden, **{f"u{ada}": True})

    own, other = garden.signed_in(), garden.signed_in(GRACE)

    assert "Herb spiral" in own.open(f"/groups/{herbs}").text
    assert other.open(f"/groups/{herbs}").status_code == 404
    assert garden.browser().open(f"/groups/{herbs}").is_redirect
    assert "for a member" in told(other, f"/groups/{herbs}/organizers", member=grace)


def told(browser, path, **fields):
    answer = browser.submit(path, **fields)
    browser.open("/")
    return browser.notice if answer.is_redirect else ""


@pytest.mark.cases("SUD-02", "CLO-10")
@pytest.mark.parametrize(("minutes", "status"), [(19, 303), (21, 403)])
def test_without_a_password_a_sign_in_of_twenty_minutes_is_enough(garden, ada, minutes, status):
    browser = garden.signed_in()
    browser.open("/users/settings")
    garden.execute("UPDATE users SET hashed_password = NULL")
    garden.clock.advance(minutes=minutes)

    answer = browser.submit(CLOSE, confirm="yes")

    assert answer.status_code == status
    assert bool(garden.row(ada)["deleted_at"]) is (status == 303)


def test_the_closing_page_is_there_in_german(garden, ada):
    page = garden.signed_in().get(CLOSE, headers={"Accept-Language": "de"}).text

    assert '<html lang="de">' in page
    assert "E-Mail-Adresse: Damit kann ein neues Konto eröffnet werden." in page
    assert LABELS["de"].keys() >= LABELS["en"].keys()
