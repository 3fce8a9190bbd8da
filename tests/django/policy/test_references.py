"""What Django's on_delete and to_field mean for a closure, which writes with SQL."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest


@pytest.fixture
def ruled(django, settings_of):
    """Return the problems of the town's policy with other rules, and another on_delete."""
    from efface.django.policy.erasers import find_problems
    from tests.support.django_projects.town import models

    @contextmanager
    def with_rules(rules):
        kept = {name: getattr(models, name).efface for name in rules}
        for name, said in rules.items():
            getattr(models, name).efface = said
        try:
            yield
        finally:
            for name, said in kept.items():
                getattr(models, name).efface = said

    def problems(on_delete=None, **rules):
        reference = models.Comment._meta.get_field("post").remote_field
        kept = reference.on_delete
        reference.on_delete = on_delete or kept
        try:
            with with_rules(rules), settings_of():
                found = find_problems("default")
        finally:
            reference.on_delete = kept
        # That these rules delete what the models keep is another question.
        return [problem for problem in found if problem.code != "W109"]

    return problems


def rules(*items, **options):
    from efface.django import Rules

    return Rules(*items, **options)


def posts_go():
    """Posts are deleted with their author; the editor and the tags don't matter here."""
    from efface import Delete, on_close

    tags = {"tags": [on_close(Delete(), via=f"post.{each}") for each in ("author", "editor")]}
    return rules(on_close(Delete(), via="author"), on_close(Delete(), via="editor"), through=tags)


def test_what_cascades_in_python_stops_the_database(ruled):
    """Django deletes comments with a post only if Django deletes the post."""
    from efface import no_personal_data

    comment = rules(no_personal_data(reason="votes"))
    (found,) = ruled(Post=posts_go(), Comment=comment)

    assert (found.code, found.place) == ("E203", "town_comment.post_id")
    assert "(on_delete applies to Django's own deletions only)" in found.text
    assert 'Delete these rows with on_close(Delete(), via="post")' in found.text


def test_rows_that_a_rule_deletes_by_their_parent_are_safe(ruled):
    from efface import Delete, on_close

    comment = rules(on_close(Delete(), via="post.author"), on_close(Delete(), via="post.editor"))

    assert ruled(Post=posts_go(), Comment=comment) == []


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        ("CASCADE", "the database deletes these rows as well"),
        ("SET NULL", "the database writes NULL into these rows"),
        ("SET DEFAULT", "the database changes these rows"),
    ],
)
def test_what_the_database_does_by_itself_is_said(ruled, operation, says):
    """As DB_CASCADE, DB_SET_NULL and DB_SET_DEFAULT of Django 6.1 have it."""
    from efface import no_personal_data

    comment = rules(no_personal_data(reason="votes"))
    (found,) = ruled(SimpleNamespace(operation=operation), Post=posts_go(), Comment=comment)

    assert (found.code, found.place) == ("E203", "town_comment.post_id")
    assert says in found.text
    assert f"(ON DELETE {operation})" in found.text


def test_a_reference_to_a_changing_field_is_an_error_without_lines_for_sql(ruled):
    from efface import Redact, on_close

    badge = rules(on_close(Redact(), via="holder"), not_personal=["title"])
    (found,) = ruled(Badge=badge)

    assert (found.code, found.place) == ("E103", "town_badge.held_by")
    assert "holder refers to town_person.email, which closures change" in found.text
    assert "ON UPDATE CASCADE" not in found.text
