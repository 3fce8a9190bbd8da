"""A row whose author has left can be edited; nobody can be given an author who has left."""

import pytest


@pytest.fixture
def left(town):
    """Ada has left, Grace is there, and each has a post."""
    from django.test import override_settings

    from tests.django.hiding.test_queries import Here

    ada, grace = town.ada(), town.person()
    hers = town.Post.create(author=ada, body="By somebody", notes={"a": 1}, price=1)
    other = town.Post.create(author=grace, body="By somebody else", notes={"a": 1}, price=1)
    town.close(ada.pk)
    with override_settings(DATABASE_ROUTERS=[Here(town.alias)]):
        yield town.Post.get(pk=hers.pk), town.Post.get(pk=other.pk)


@pytest.fixture
def form_of(left):
    from django.forms import modelform_factory

    from tests.support.django_projects.town.models import Post

    form = modelform_factory(Post, fields=["author", "body"])

    def filled(author, *, instance=None):
        return form({"author": author, "body": "new"}, instance=instance)

    return filled


def test_an_object_is_valid_with_the_author_it_has(left):
    hers, _ = left

    hers.full_clean(exclude=["editor"])


def test_an_author_who_has_left_is_valid_for_no_other_object(left):
    from django.core.exceptions import ValidationError

    hers, other = left
    new = type(hers)(author_id=hers.author_id, body="-", notes={"a": 1}, price=1)
    taken = type(hers)(pk=other.pk, author_id=hers.author_id, body="-", notes={"a": 1}, price=1)
    taken._state.adding = False
    other.author_id = hers.author_id

    for each in (new, taken, other):
        with pytest.raises(ValidationError, match="author"):
            each.full_clean(exclude=["editor"])


def test_a_form_keeps_the_author_of_the_row(left, form_of):
    hers, _ = left

    form = form_of(hers.author_id, instance=hers)

    assert form.is_valid(), form.errors
    form.save()
    assert type(hers).objects.get(pk=hers.pk).body == "new"
    assert form.fields["author"].label_from_instance(hers.author) == "a former resident"
    assert f'<option value="{hers.author_id}" selected>a former resident' in str(form["author"])


def test_no_form_offers_or_takes_whoever_has_left_anew(left, form_of):
    hers, other = left

    for form in (form_of(hers.author_id), form_of(hers.author_id, instance=other)):
        assert "a former resident" not in str(form["author"])
        assert not form.is_valid()
        assert form.errors["author"].as_data()[0].code == "invalid_choice"


def test_a_form_of_a_row_can_give_it_to_somebody_who_is_there_and_not_back(left, form_of):
    hers, other = left
    gone = hers.author_id

    assert form_of(other.author_id, instance=hers).save().author_id == other.author_id
    back = form_of(gone, instance=type(hers).objects.get(pk=hers.pk))

    assert not back.is_valid()


def test_a_form_with_choices_of_its_own_is_left_alone(left):
    from django.forms import ModelChoiceField, ModelForm

    from tests.support.django_projects.town.models import Person, Post

    hers, _ = left

    class Late(ModelForm):
        author = ModelChoiceField(queryset=None)

        class Meta:
            model = Post
            fields = ("author",)

    class Sliced(Late):
        author = ModelChoiceField(queryset=Person.objects.order_by("pk")[:1])

    assert Late(instance=hers).fields["author"].queryset is None
    assert Sliced(instance=hers).fields["author"].queryset.query.is_sliced


def test_a_form_that_asks_for_closed_accounts_takes_them_for_any_row(left, form_of):
    from django.forms import ModelChoiceField, ModelForm

    from efface.django import include_closed
    from tests.support.django_projects.town.models import Person, Post

    hers, other = left

    class Asking(ModelForm):
        author = ModelChoiceField(Person.objects.include_closed())

        class Meta:
            model = Post
            fields = ("body",)

    assert Asking({"author": hers.author_id, "body": "-"}, instance=other).is_valid()
    with include_closed():
        assert form_of(hers.author_id, instance=other).is_valid()


def test_another_condition_of_the_field_holds_all_the_same(left):
    from django.core.exceptions import ValidationError

    hers, _ = left
    field = type(hers)._meta.get_field("author")
    kept = field.remote_field.limit_choices_to
    field.remote_field.limit_choices_to = {"is_staff": True}
    try:
        with pytest.raises(ValidationError):
            hers.full_clean(exclude=["editor"])
    finally:
        field.remote_field.limit_choices_to = kept
