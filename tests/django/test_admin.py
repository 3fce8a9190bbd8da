"""The admin: closings to be read, and accounts to be closed by those who may."""

import re

import pytest

PEOPLE, CLOSINGS = "/office/town/person/", "/office/efface/closing/"
DIGEST = re.compile(r'name="digest" value="([0-9a-f]{64})"')

pytestmark = pytest.mark.parametrize("alias", ["sqlite"], indirect=True)


@pytest.fixture
def clerk(town):
    clerk = town.person("clerk", is_staff=True, last_name="Clerk")
    allow(clerk, "view_person", "change_person", "view_closing", "close_account")
    return clerk


@pytest.fixture
def office(town, clerk):
    from django.test import Client, override_settings

    from tests.support.django_projects.closing_site import SETTINGS

    with override_settings(**SETTINGS):
        browser = Client()
        browser.force_login(clerk, "django.contrib.auth.backends.ModelBackend")
        yield browser


def allow(person, *codenames):
    from django.contrib.auth.models import Permission

    person.user_permissions.set(Permission.objects.filter(codename__in=codenames))


def ask(office, *people, **fields):
    chosen = [person.pk for person in people]
    sent = {"action": "close_accounts", "_selected_action": chosen, **fields}
    return office.post(PEOPLE, sent, follow=True)


def confirm(office, *people):
    digests = DIGEST.findall(ask(office, *people).content.decode())
    return ask(office, *people, digest=digests, confirm="yes")


def test_the_plan_is_shown_before_anything_happens(office, town):
    ada = town.ada()
    town.Post.create(author=ada, body="Yours, Lovelace")

    page = ask(office, ada).content.decode()

    assert "town_posts" in page
    assert "This can't be undone." in page
    assert town.receipts() == []


def test_who_confirms_closes_and_is_named_by_key(office, town, clerk):
    ada, grace = town.ada(), town.person("grace")

    page = confirm(office, ada, grace).content.decode()

    assert "Closed accounts: 2." in page
    assert {receipt.actor for receipt in town.receipts()} == {f"admin {clerk.pk}"}
    assert town.Person.filter(deleted_at=None).count() == 1


def test_no_log_of_the_admin_names_who_was_closed(office, town):
    from django.contrib.admin.models import LogEntry

    confirm(office, town.ada())

    assert not LogEntry.objects.exists()


def test_a_plan_that_no_longer_fits_is_shown_again(office, town):
    ada = town.ada()
    digests = DIGEST.findall(ask(office, ada).content.decode())
    town.Post.create(author=ada, body="Yours, Lovelace")

    page = ask(office, ada, digest=digests, confirm="yes").content.decode()

    assert "The data has changed since you read the plans." in page
    assert DIGEST.findall(page) != digests
    assert town.receipts() == []


def test_without_the_permission_there_is_no_such_action(office, town, clerk):
    ada = town.ada()
    digests = DIGEST.findall(ask(office, ada).content.decode())
    allow(clerk, "view_person", "change_person")

    listed = office.get(PEOPLE).content.decode()
    ask(office, ada, digest=digests, confirm="yes")

    assert "close_accounts" not in listed
    assert town.receipts() == []


def test_an_own_account_is_closed_on_its_own_page(office, town, clerk):
    page = ask(office, clerk, town.ada()).content.decode()

    assert "You can&#x27;t close your own account here." in page
    assert not DIGEST.search(page)
    assert town.receipts() == []


def test_more_plans_than_one_reads_are_refused(office, town):
    people = [town.person(f"person{number}") for number in range(21)]

    page = ask(office, *people).content.decode()

    assert "Select at most 20 accounts" in page
    assert town.receipts() == []


def test_closings_are_read_and_never_changed(office, town):
    confirm(office, town.ada())
    reference = town.receipts()[0].reference
    from efface.django.models import Closing

    url = f"{CLOSINGS}{Closing.objects.get().pk}/"
    listed, shown = office.get(CLOSINGS).content.decode(), office.get(f"{url}change/").content

    assert reference in listed
    assert "searched, nothing found" in listed
    assert "Lovelace" not in listed
    assert b"&quot;town_person&quot;" in shown
    assert office.post(f"{url}change/", {"actor": "me"}).status_code == 403
    assert office.post(f"{url}delete/", {"post": "yes"}).status_code == 403
    assert office.get(f"{CLOSINGS}add/").status_code == 403


@pytest.mark.parametrize(
    ("finalize", "state"), [(False, "closed, not finalized yet"), (None, "finalized, not searched")]
)
def test_the_list_says_how_far_a_closing_is(office, town, finalize, state):
    from efface.django.accounts import finalize as finalize_later
    from efface.evidence.receipt import Receipt

    receipt = town.close(town.ada(), finalize=False)
    if finalize is None:
        # As another process settles it, which does not remember whom to search for.
        finalize_later(Receipt.from_json(receipt.to_json()))

    assert state in office.get(CLOSINGS).content.decode()


@pytest.fixture
def german(office):
    """The office of somebody whose browser asks for German."""
    office.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    return office


def test_the_action_speaks_the_language_of_the_admin(german, town, clerk):
    ada = town.ada()

    assert "Konten schließen …" in german.get(PEOPLE).content.decode()
    page = ask(german, ada).content.decode()
    assert "<h1>Konten schließen</h1>" in page
    for text in ("Das lässt sich nicht rückgängig machen", "Nein, Konten behalten"):
        assert text in page
    own = ask(german, clerk).content.decode()
    assert "Ihr eigenes Konto können Sie hier nicht schließen." in own
    assert "Geschlossene Konten: 1." in confirm(german, ada).content.decode()


def test_the_list_of_closings_speaks_it_too(german, town):
    town.close(town.ada())
    from efface.django.models import Closing

    listed = german.get(CLOSINGS).content.decode()
    shown = german.get(f"{CLOSINGS}{Closing.objects.get().pk}/change/").content.decode()

    for text in ("Kontoschließung", "Bestätigungsnummer", "durchsucht, nichts gefunden"):
        assert text in listed
    for text in ("Beleg", "Veranlasst von", "Prüfsumme der Richtlinie"):
        assert text in shown
    assert "closure status" not in (listed + shown).lower()


# ---------------------------------------------------------------- whose accounts


def test_what_blocks_the_page_blocks_the_admin(office, town, settings_of):
    from efface.django import Blocker

    ada = town.ada()
    with settings_of(BLOCKERS=lambda _: [Blocker("Hand over the keys.", "/keys")]):
        page = confirm(office, ada).content.decode()

    assert f"Account {ada.pk} could not be closed." in page
    assert town.receipts() == []


def test_only_a_superuser_closes_the_account_of_a_superuser(office, town, clerk):
    boss = town.person("boss", is_superuser=True, is_staff=True)
    digests = DIGEST.findall(ask(office, boss).content.decode())
    page = ask(office, boss, town.ada(), digest=digests, confirm="yes").content.decode()

    assert digests == []
    assert f"You don&#x27;t have permission to close account {boss.pk}." in page
    assert town.receipts() == []

    type(clerk)._base_manager.using(town.alias).filter(pk=clerk.pk).update(is_superuser=True)
    assert "Closed accounts: 1." in confirm(office, boss).content.decode()


# ---------------------------------------------------------------- the stock way to delete


def delete(office, person):
    sent = {"action": "delete_selected", "_selected_action": [person.pk], "post": "yes"}
    return office.post(PEOPLE, sent, follow=True)


def test_the_stock_way_to_delete_people_needs_a_permission_of_its_own(office, town, clerk):
    ada = town.ada()
    town.Bill.create(payer=ada, amount=7)
    allow(clerk, "view_person", "change_person", "delete_person", "delete_bill")

    listed = office.get(PEOPLE).content.decode()
    delete(office, ada)
    office.post(f"{PEOPLE}{ada.pk}/delete/", {"post": "yes"})

    assert "delete_selected" not in listed
    assert (town.Person.filter(pk=ada.pk).count(), town.Bill.count()) == (1, 1)


def test_with_the_permission_people_are_deleted_and_a_receipt_says_so(office, town, clerk):
    type(clerk)._base_manager.using(town.alias).filter(pk=clerk.pk).update(is_superuser=True)
    people = [town.ada(), town.person("grace")]
    for person in people:
        town.Bill.create(payer=person, amount=7)

    delete(office, people[0])
    office.post(f"{PEOPLE}{people[1].pk}/delete/", {"post": "yes"})

    assert town.Bill.count() == 0
    assert {(receipt.actor, receipt.overridden) for receipt in town.receipts()} == {
        (f"admin {clerk.pk}", "deleted in the admin")
    }
    assert len(town.receipts()) == 2
