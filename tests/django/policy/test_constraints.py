"""Unique constraints of models, in each form that Django has for them."""

import pytest


@pytest.fixture
def constrained(django, settings_of):
    """Return what the check says of users with one more constraint."""
    from efface.django.policy.erasers import find_problems
    from tests.support.django_projects.town.models import Person

    kept = Person._meta.constraints

    def problems(constraint, alias="default"):
        Person._meta.constraints = [constraint]
        try:
            with settings_of():
                return [(p.code, p.place, p.paste) for p in find_problems(alias)]
        finally:
            Person._meta.constraints = kept

    return problems


@pytest.mark.parametrize(
    ("fields", "condition", "is_refused"),
    [
        (["last_name"], {"is_superuser": False}, True),
        (["last_name"], {"is_active": False}, True),
        (["last_name"], {"is_active": True}, False),
        (["last_name"], {"deleted_at__isnull": True}, False),
        (["last_name"], {"deleted_at__isnull": False}, True),
        (["home", "last_name"], None, True),
        (["username", "last_name"], None, False),
        (["nick", "last_name"], None, False),
        (["last_name"], {"nick__isnull": False}, False),
    ],
)
def test_fields_with_a_condition(constrained, fields, condition, is_refused):
    from django.db.models import Q, UniqueConstraint

    options = {} if condition is None else {"condition": Q(**condition)}
    found = constrained(UniqueConstraint(fields=fields, name="once", **options))

    assert [(code, place) for code, place, _ in found] == [
        ("E103", "town_person.last_name")
    ] * is_refused
    assert all('"last_name": Placeholder()' in paste for _, _, paste in found)


@pytest.mark.parametrize("alias", ["default", "postgresql"])
def test_expressions(constrained, alias):
    from django.db.models import F, Q, UniqueConstraint, Value
    from django.db.models.functions import Coalesce, Left, Lower, Upper

    def code(*expressions, **options):
        found = constrained(UniqueConstraint(*expressions, name="once", **options), alias)
        return [each for each, _, _ in found]

    assert code(Coalesce("nick", Value("-"))) == ["E103"]
    assert code(Lower("last_name"), condition=Q(last_name__isnull=False)) == ["E103"]
    assert code(Upper("last_name").desc(), "home") == ["E103"]
    assert code(F("last_name")) == ["E103"]
    assert code(Lower("last_name"), condition=Q(deleted_at__isnull=True)) == []
    assert code(Lower("username")) == []
    assert code(Lower("nick")) == []
    # SQLite, which evaluates expressions for the check, has no function of this name.
    assert code(Left("username", 4)) == {"default": ["E103"], "postgresql": ["W105"]}[alias]


def test_null_is_one_value_where_the_constraint_says_so(constrained):
    from django.db.models import UniqueConstraint

    constraint = UniqueConstraint(fields=["nick"], nulls_distinct=False, name="once")

    (found,) = constrained(constraint, "postgresql")
    assert found[:2] == ("E103", "town_person.nickName")
    assert "Placeholder()" in found[2]
    # Django does not make it on SQLite.
    assert constrained(constraint) == []
