"""Deletions by Django itself: what the policy retains stays, or somebody says why not."""

from datetime import UTC, datetime

import pytest

from efface.errors import ActorLengthError, RetainedRecordsError

pytestmark = pytest.mark.parametrize("alias", ["sqlite"], indirect=True)


@pytest.fixture
def ada(town):
    """Ada, with a record that the tax law keeps."""
    ada = town.ada()
    town.Bill.create(payer=ada, amount=7)
    return ada


def instance(town, person):
    person.delete()


def queryset(town, person):
    town.models.Person.objects.using(town.alias).filter(pk=person.pk).delete()


def everybody(town, person):
    town.Person.all().delete()


def proxy(town, person):
    town.models.Neighbor.objects.using(town.alias).get(pk=person.pk).delete()


WAYS = [instance, queryset, everybody, proxy]


@pytest.mark.parametrize("delete", WAYS)
def test_a_user_with_retained_records_is_not_deleted(town, ada, delete):
    with pytest.raises(RetainedRecordsError) as refused:
        delete(town, ada)

    assert "town_bill (1)" in str(refused.value)
    assert "ada" not in str(refused.value).lower()
    assert town.Person.filter(pk=ada.pk).exists()
    assert town.Bill.count() == 1


def test_a_user_without_records_is_deleted_as_ever(town, ada):
    grace = town.person("grace")

    grace.delete()

    assert not town.Person.filter(username="grace").exists()


def test_a_record_of_an_open_account_is_the_applications(town, ada):
    town.Bill.get().delete()

    assert town.Bill.count() == 0


@pytest.mark.parametrize("delete", ["instance", "queryset"])
def test_a_record_of_a_closed_account_stays(town, ada, delete):
    town.close(ada)
    bills = town.models.Bill.objects.using(town.alias)

    with pytest.raises(RetainedRecordsError, match=r"town_bill \(1\)"):
        bills.get().delete() if delete == "instance" else bills.all().delete()

    assert town.Bill.count() == 1


def test_who_was_closed_is_not_deleted_either(town, ada):
    from efface.django import include_closed

    town.close(ada)

    with include_closed(), pytest.raises(RetainedRecordsError):
        town.Person.get(pk=ada.pk).delete()


@pytest.mark.parametrize("delete", WAYS)
def test_an_override_deletes_and_is_recorded(town, ada, delete):
    from efface.django import override_retention

    with override_retention(actor="admin 7", reason="spam"):
        delete(town, ada)

    assert (town.Person.filter(pk=ada.pk).count(), town.Bill.count()) == (0, 0)
    (receipt,) = town.receipts()
    assert (receipt.actor, receipt.overridden) == ("admin 7", "spam")
    assert [(s.table, s.action, s.rows) for s in receipt.steps] == [("town_bill", "delete", 1)]
    assert receipt.finalized_at is not None
    with pytest.raises(RetainedRecordsError):
        town.Bill.create(payer=town.person("grace"), amount=7).payer.delete()


def test_an_override_needs_a_reason(town, ada):
    from efface.django import override_retention

    with (
        pytest.raises(ActorLengthError, match="reason must be"),
        override_retention(actor="admin 7", reason=""),
    ):
        ada.delete()

    assert town.Bill.count() == 1


def test_a_project_without_all_rules_deletes_as_before(town, ada, settings_of):
    """There no account can be closed, so nothing is retained yet."""
    from tests.support.django_projects.town.models import Tag

    kept = Tag.efface
    del Tag.efface
    try:
        with settings_of():
            ada.delete()
    finally:
        Tag.efface = kept

    assert town.Bill.count() == 0


def test_a_closed_user_who_is_deleted_after_all_gets_one_receipt_more(town, ada):
    """Not one for the user and another for each record."""
    from efface.django import include_closed, override_retention

    town.Bill.create(payer=ada, amount=8)
    closed = town.close(ada)

    with include_closed(), override_retention(actor="admin 7", reason="spam"):
        town.Person.get(pk=ada.pk).delete()

    (deleted,) = [each for each in town.receipts() if each.reference != closed.reference]
    assert [(s.table, s.action, s.rows) for s in deleted.steps] == [("town_bill", "delete", 2)]


def test_a_deletion_in_the_same_second_does_not_take_the_place_of_the_first_receipt(
    town, ada, settings_of
):
    from efface.django import override_retention

    moment = datetime(2026, 12, 1, 12, tzinfo=UTC)
    with settings_of(CLOCK=lambda: moment):
        first = town.close(ada)
        with override_retention(actor="admin 7", reason="spam"):
            town.models.Bill.objects.using(town.alias).get().delete()
        again = town.close(ada.pk)

    assert (again.reference, again.already_closed) == (first.reference, True)


@pytest.mark.parametrize("place", ["actor", "reason"])
def test_an_override_does_not_name_the_user(town, ada, place):
    from efface.django import override_retention
    from efface.errors import ActorIdentifiesUserError

    said = {"actor": "admin 7", "reason": "spam", place: "spam from ada@example.org"}
    with pytest.raises(ActorIdentifiesUserError) as refused, override_retention(**said):
        ada.delete()

    assert "ada" not in str(refused.value)
    assert (town.Bill.count(), town.receipts()) == (1, [])
