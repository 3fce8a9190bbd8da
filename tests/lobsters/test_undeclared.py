"""Three references to people that the site's database does not declare, and a draft names."""

import re

import pytest

from efface.policy.draft import draft
from efface.policy.schema_drift import reflect
from tests.support.schemas.lobsters.schema import TABLES
from tests.support.schemas.lobsters.tables import build, undeclared

SOFTLY = re.compile(r"(\w+) refers to users\.id without a foreign key")


def first_policy(engine, words):
    """Return the draft for a database with these tables, of which nothing else is known."""
    build(words).create_all(engine)
    return draft(reflect(engine))


@pytest.mark.laws("M08")
def test_the_draft_names_them(database):
    named = SOFTLY.findall(first_policy(database, TABLES))

    to_people = [place for place, table in undeclared(TABLES).items() if table == "users"]
    assert len(to_people) == 3
    assert sorted(named) == sorted(place.split(".")[1] for place in to_people)


def test_no_declared_reference_is_taken_for_one_of_them(database):
    declared = TABLES.replace("int ~> users", "big -> users").replace("~> users", "-> users")

    assert SOFTLY.findall(first_policy(database, declared)) == []
