"""What a Django database has beyond its models."""

from contextlib import contextmanager

import pytest

from efface.errors import UnknownSchemaError

OLD_PROFILE = (
    "CREATE TABLE old_profile (id integer PRIMARY KEY, contact varchar(200), "
    "user_id integer REFERENCES town_person (id))"
)


@contextmanager
def having(town, statement, undo):
    """Change the schema for a block."""
    from django.db import connections

    def run(sql):
        with connections[town.alias].cursor() as cursor:
            cursor.execute(sql)

    run(statement)
    try:
        yield
    finally:
        run(undo)


def problems(town):
    from efface.django.policy.erasers import find_differences

    return [(p.code, p.place, p.level) for p in find_differences(town.alias)]


def test_a_migrated_database_is_as_its_models_say(town):
    assert problems(town) == []


def test_a_table_that_refers_to_users_and_has_no_model_stops_closings(town):
    ada = town.ada()
    with having(town, OLD_PROFILE, "DROP TABLE old_profile"):
        assert problems(town) == [("E108", "old_profile", "error")]
        with pytest.raises(UnknownSchemaError) as caught:
            town.close(ada)

    assert "user_id refers to town_person" in str(caught.value)
    assert town.Person.get(pk=ada.pk).deleted_at is None
    assert town.close(ada).search.is_clean


def test_tables_of_others_in_the_same_database_stop_nothing(town):
    weather = "CREATE TABLE weather (day date)"
    with having(town, weather, "DROP TABLE weather"):
        assert problems(town) == []
        assert town.close(town.ada()).search.is_clean


def test_a_column_that_no_field_has_stops_closings(town):
    ada = town.ada()
    column = "ALTER TABLE town_person ADD COLUMN phone varchar(20)"
    with having(town, column, "ALTER TABLE town_person DROP COLUMN phone"):
        assert problems(town) == [("E108", "town_person.phone", "error")]
        with pytest.raises(UnknownSchemaError):
            town.close(ada)


def test_asking_the_database_is_none_of_the_applications_queries(town):
    first, second = town.ada(), town.person()
    with town.statements() as one:
        town.close(first)
    with (
        having(town, "CREATE TABLE weather (day date)", "DROP TABLE weather"),
        town.statements() as other,
    ):
        town.close(second)

    asked = [query["sql"] for each in (one, other) for query in each.captured_queries]
    assert not any("pg_catalog" in sql or "pragma_schema" in sql for sql in asked)
