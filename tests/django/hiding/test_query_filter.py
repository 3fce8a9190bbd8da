"""What asks for closed accounts, for how long, and what never brings one back."""

import pytest

from efface.errors import ClosedObjectError


@pytest.fixture
def left(town):
    """Ada, as an object from before she left."""
    ada = town.ada()
    before = town.Person.get(pk=ada.pk)
    town.close(ada)
    return before


@pytest.fixture
def people(town):
    """The people as an application sees them."""
    return town.models.Person.objects.using(town.alias)


def test_a_queryset_is_filtered_when_it_runs_not_where_it_is_written(people, left):
    from efface.django import include_closed

    with include_closed():
        written = people.filter(pk=left.pk)
        assert written.exists()

    assert not written.exists()
    assert written.include_closed().exists()
    assert not written.exists()


def test_to_ask_ends_with_the_block_also_for_a_task_that_outlives_it(town, people, left):
    import asyncio

    from asgiref.sync import async_to_sync

    from efface.django import include_closed

    async def look(go_on):
        inside = await people.filter(pk=left.pk).aexists()
        await go_on.wait()
        return inside, await people.filter(pk=left.pk).aexists()

    async def story():
        go_on = asyncio.Event()
        with include_closed():
            task = asyncio.create_task(look(go_on))
            assert await people.filter(pk=left.pk).aexists()
            await asyncio.sleep(0)
        assert not await people.filter(pk=left.pk).aexists()
        go_on.set()
        return await task

    assert async_to_sync(story)()[1] is False


def test_an_inner_block_does_not_end_the_outer_one(people, left):
    from efface.django import include_closed

    with include_closed():
        with include_closed():
            pass
        assert people.filter(pk=left.pk).exists()


@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize("fields", [None, ["email"], ["deleted_at"]])
def test_an_object_from_before_never_opens_an_account_again(town, left, asks, fields):
    from contextlib import nullcontext

    from efface.django import include_closed

    row = town.Person.filter(pk=left.pk).values().get()

    with pytest.raises(ClosedObjectError), include_closed() if asks else nullcontext():
        left.save(using=town.alias, update_fields=fields)

    assert town.Person.filter(pk=left.pk).values().get() == row


@pytest.mark.parametrize("is_looked_at", [False, True])
@pytest.mark.parametrize("how", ["only", "defer"])
def test_what_was_loaded_in_part_before_the_closing_writes_nothing_back(town, how, is_looked_at):
    from efface.django import include_closed

    key = town.ada().pk
    part = getattr(town.Person, how)("email" if how == "only" else "deleted_at").get(pk=key)
    town.close(key)
    row = town.Person.filter(pk=key).values().get()

    with include_closed():
        if is_looked_at:
            assert part.deleted_at
        with pytest.raises(ClosedObjectError):
            part.save(using=town.alias)

    assert town.Person.filter(pk=key).values().get() == row


@pytest.mark.parametrize("how", ["get", "only", "refresh"])
def test_what_a_block_loads_after_the_closing_it_can_save(town, people, left, how):
    from efface.django import include_closed

    with include_closed():
        if how == "refresh":
            held = left
            held.refresh_from_db(using=town.alias)
        else:
            held = (people.only("nick") if how == "only" else people).get(pk=left.pk)
        held.nick = "somebody"
        held.save(using=town.alias)

    assert town.Person.get(pk=left.pk).nick == "somebody"


def test_a_child_from_before_writes_nothing_back_into_its_own_table(town):
    from efface.django import include_closed

    ada = town.ada()
    town.models.Trader(person_ptr=ada, vat="GB 1815").save_base(raw=True, using=town.alias)
    trader = town.Trader.get(pk=ada.pk)
    town.close(ada.pk)

    with pytest.raises(ClosedObjectError), include_closed():
        trader.save(using=town.alias, update_fields=["vat"])

    assert town.Trader.get().vat == ""


@pytest.mark.parametrize("is_emptied", [True, False])
def test_a_block_loads_what_it_has_dumped(town, tmp_path, is_emptied):
    from django.core.management import call_command

    from efface.django import include_closed

    ada = town.ada()
    town.models.Trader(person_ptr=ada, vat="GB 1815").save_base(raw=True, using=town.alias)
    town.close(ada.pk)
    rows = list(town.Trader.values("pk", "email", "deleted_at", "vat"))
    path = str(tmp_path / "town.json")
    database = {"database": town.alias, "verbosity": 0}
    with include_closed():
        call_command("dumpdata", "town.person", "town.trader", output=path, **database)
        if is_emptied:
            call_command("flush", interactive=False, **database)
        call_command("loaddata", path, **database)

    assert list(town.Trader.values("pk", "email", "deleted_at", "vat")) == rows


def test_after_a_closing_that_was_undone_an_object_is_one_from_before(town):
    from django.db import transaction

    from efface.django import include_closed

    ada = town.ada()
    with transaction.atomic(using=town.alias):
        town.close(ada)
        transaction.set_rollback(True, using=town.alias)
    assert (ada.email, ada.deleted_at) == ("ada@example.org", None)
    town.close(ada.pk)

    with pytest.raises(ClosedObjectError), include_closed():
        ada.save(using=town.alias)

    assert town.Person.get(pk=ada.pk).email != "ada@example.org"


def test_deleting_an_object_from_before_takes_nothing_that_refers_to_it(town, left):
    from efface.django import include_closed

    town.Line.create(owner_id=left.pk, number=1, text="-")

    with pytest.raises(ClosedObjectError):
        left.delete(using=town.alias)
    assert town.Line.get().owner_id == left.pk
    with include_closed():
        left.delete(using=town.alias)

    assert not town.Line.exists()
    assert not town.Person.exists()


def test_what_stays_open_is_saved_and_deleted_as_ever(town, people, left):
    grace = town.person()
    grace.nick = "Amazing"
    grace.save(using=town.alias)

    assert people.get().nick == "Amazing"
    grace.delete(using=town.alias)
    assert not people.exists()


def test_a_statement_about_nobody_is_the_same_statement(town):
    from efface.django import include_closed

    notes = town.models.Tag.objects.using(town.alias).filter(slug="x")
    with include_closed():
        plain = str(notes.query)

    assert str(notes.query) == plain
    assert "deleted_at" not in plain


def test_a_policy_file_says_who_the_people_are(django, settings_of, tmp_path):
    from efface.django.hiding.user_rows import find_user_rows
    from tests.support.django_projects.town.models import Person

    kept = Person.efface
    path = tmp_path / "efface.toml"
    path.write_text('[tables.town_person.data_subject]\ntombstone = "deleted_at"\n')
    del Person.efface
    try:
        assert find_user_rows() is None
        with settings_of(POLICY=path):
            found = find_user_rows()
    finally:
        Person.efface = kept

    assert found.model is Person
    assert found.conditions.keys() == {"town_person", "town_trader"}


def test_without_a_tombstone_nothing_is_hidden(django):
    from efface import Delete, data_subject
    from efface.django import Rules
    from efface.django.hiding.user_rows import find_user_rows
    from tests.support.django_projects.town.models import Person

    kept = Person.efface
    Person.efface = Rules(data_subject(Delete(), deleted_at="left_at"))
    try:
        assert find_user_rows() is None
    finally:
        Person.efface = kept
