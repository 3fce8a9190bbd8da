"""What Django writes in several statements reaches a closed account whole, or not at all."""

import threading

import pytest

from efface.errors import ClosedObjectError
from tests.support.django_projects.town.routers import Here

ON_POSTGRESQL = pytest.mark.parametrize(
    "alias", [pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True
)


@pytest.fixture
def trader(town):
    """The key of a trader who has left, and to whom a line refers that falls with the row."""
    ada = town.ada()
    town.models.Trader(person_ptr=ada, vat="GB 1815").save_base(raw=True, using=town.alias)
    town.Line.create(owner=ada, number=1, text="-")
    town.close(ada.pk)
    return ada.pk


@pytest.mark.parametrize("model", ["Person", "Neighbor", "Trader"])
def test_a_queryset_that_asks_deletes_the_row_with_what_refers_to_it(town, trader, model):
    _, deleted = getattr(town, model).filter(pk=trader).delete()

    assert (deleted["town.Line"], deleted["town.Trader"], deleted["town.Person"]) == (1, 1, 1)
    assert not town.Person.exists()


def test_to_ask_ends_with_the_deletion(town, trader):
    people = town.models.Person.objects.using(town.alias)
    grace = town.person()

    people.filter(pk=grace.pk).include_closed().delete()

    assert not people.exists()
    assert town.Person.get().pk == trader


def test_a_deletion_that_asks_follows_references_to_whom_it_would_not_find(town):
    home = town.House.create(street="Main Street")
    town.close(town.person(home=home))

    town.House.filter(pk=home.pk).delete()

    assert not town.Person.exists()


@ON_POSTGRESQL
@pytest.mark.parametrize("how", ["object", "queryset"])
def test_a_closing_in_the_middle_of_a_deletion_takes_nothing_that_refers_to_it(town, how):
    from django.db import connections
    from django.db.models.signals import pre_delete
    from django.test import override_settings

    def close(sender, instance, **_):
        def elsewhere():
            town.close(instance.pk)
            connections.close_all()

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()

    people = town.models.Person.objects.using(town.alias)
    ada = people.get(pk=town.ada().pk)
    town.Line.create(owner=ada, number=1, text="-")
    key = ada.pk
    pre_delete.connect(close, sender=town.models.Person)
    try:
        with (
            pytest.raises(ClosedObjectError),
            override_settings(DATABASE_ROUTERS=[Here(town.alias)]),
        ):
            (ada if how == "object" else people.filter(pk=key)).delete()
    finally:
        pre_delete.disconnect(close, sender=town.models.Person)

    assert town.Person.get(pk=key).deleted_at
    assert town.Line.get().owner_id == key


def test_what_somebody_else_has_deleted_is_no_closed_account(town, trader):
    people = town.models.Person.objects.using(town.alias)
    grace = people.get(pk=town.person().pk)
    people.filter(pk=grace.pk).delete()

    assert grace.delete() == (0, {})


@pytest.mark.parametrize("how", ["update", "bulk_update"])
def test_an_update_that_asks_writes_into_each_table_of_a_person(town, trader, how):
    rows = town.Trader.filter(pk=trader)
    if how == "update":
        rows.update(is_staff=True, vat="new")
    else:
        held = rows.get()
        held.is_staff, held.vat = True, "new"
        town.Trader.bulk_update([held], ["is_staff", "vat"])

    assert rows.values_list("is_staff", "vat").get() == (True, "new")


def test_an_update_that_does_not_ask_writes_into_no_table_of_a_person(town, trader):
    town.models.Trader.objects.using(town.alias).update(is_staff=True, vat="new")

    assert town.Trader.values_list("is_staff", "vat").get() == (False, "")


def test_a_deletion_in_several_batches_counts_them_all(town):
    """Django deletes a hundred rows at a time."""
    made = [town.models.Person(username=f"p{n}", email=f"p{n}@example.org") for n in range(201)]
    town.Person.bulk_create(made)

    assert town.models.Person.objects.using(town.alias).all().delete()[0] == 201
