"""Joins to people: what reads, groups and orders goes by one of them, and finds nobody who left."""

from types import SimpleNamespace

import pytest


@pytest.fixture
def posts(town):
    """The posts as an application sees them: edited by Ada, who has left, by Grace, by nobody."""
    ada, grace = town.ada(), town.person()
    edited = [town.Post.create(author=grace, body="-") for _ in range(3)]
    town.close(ada.pk)
    # As where the rules let the reference stay.
    town.Post.filter(pk=edited[0].pk).update(editor=ada.pk)
    town.Post.filter(pk=edited[1].pk).update(editor=grace.pk)
    rows = town.models.Post.objects.using(town.alias)
    return SimpleNamespace(rows=rows, ada=ada.pk, grace=grace.pk, keys=[post.pk for post in edited])


def joins(queryset):
    return str(queryset.query).count('JOIN "town_person"')


def test_an_order_goes_by_the_join_of_what_is_read(posts):
    from django.db.models import F

    read = posts.rows.values_list("editor__username", flat=True)
    named = posts.rows.annotate(name=F("editor__username")).values_list("name", flat=True)

    for found in (
        read.order_by("editor__username"),
        read.order_by(F("editor__username").asc()),
        named.order_by("editor__username"),
        named.order_by("name", "editor__nick"),
    ):
        assert joins(found) == 1
        assert sorted(map(str, found)) == ["None", "None", "grace"]


def test_an_order_splits_no_group_by_the_name_of_whoever_has_left(posts):
    from django.db.models import Count

    grouped = posts.rows.values("editor__username").annotate(number=Count("pk"))
    found = grouped.order_by("editor__email")

    assert joins(found) == 1
    assert {row["editor__username"]: row["number"] for row in found} == {None: 2, "grace": 1}


def test_what_is_loaded_with_a_post_has_a_join_of_its_own(posts):
    from django.db.models import Q

    anyone = Q(editor__username="grace") | Q(pk__in=posts.keys)
    found = posts.rows.select_related("editor").filter(anyone).order_by("editor__username")

    assert joins(found) == 2
    assert {post.editor and post.editor.pk for post in found} == {posts.ada, posts.grace, None}


@pytest.mark.parametrize(
    "alias", [pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True
)
def test_distinct_rows_are_those_that_the_order_goes_by(posts):
    from django.db.models import Q

    ordered = posts.rows.order_by("editor__username").distinct("editor__username")
    anyone = Q(editor__username="grace") | Q(pk__in=posts.keys)
    loaded = ordered.select_related("editor").filter(anyone)

    assert list(ordered.values_list("editor__username", flat=True)) == ["grace", None]
    assert {post.editor and post.editor.pk for post in loaded} == {posts.ada, posts.grace, None}
