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
    from efface.django.people import people
    from tests.hosts.django.town.models import Person

    kept = Person.efface
    path = tmp_path / "efface.toml"
    path.write_text('[tables.town_person.data_subject]\ntombstone = "deleted_at"\n')
    del Person.efface
    try:
        assert people() is None
        with settings_of(POLICY=path):
            found = people()
    finally:
        Person.efface = kept

    assert found.model is Person
    assert found.conditions.keys() == {"town_person", "town_trader"}


def test_without_a_tombstone_nothing_is_hidden(django):
    from efface import Delete, data_subject
    from efface.django import Rules
    from efface.django.people import people
    from tests.hosts.django.town.models import Person

    kept = Person.efface
    Person.efface = Rules(data_subject(Delete(), tombstone="left_at"))
    try:
        assert people() is None
    finally:
        Person.efface = kept
