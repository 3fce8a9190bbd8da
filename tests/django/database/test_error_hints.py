"""What errors of the engine tell a Django project to do."""

from contextlib import contextmanager

import pytest


@contextmanager
def renamed(alias, table):
    """A block in which the database does not have the table; undone at the end."""
    from django.db import connections, transaction

    with transaction.atomic(using=alias):
        with connections[alias].cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
        yield
        transaction.set_rollback(True, using=alias)


@pytest.fixture
def option(alias):
    """How a command names the database."""
    return "" if alias == "default" else f" --database {alias}"


def test_before_migrate_the_command_that_makes_the_table_is_named(town, settings_of, option):
    from efface.errors import MissingTablesError

    ada = town.ada()

    with (
        settings_of(),
        renamed(town.alias, "efface_closings"),
        pytest.raises(MissingTablesError) as caught,
    ):
        town.close(ada)

    assert caught.value.message().endswith(
        f"Nothing was changed. Create it: manage.py migrate{option}"
    )


def test_a_table_that_is_not_there_is_made_by_djangos_commands(town, option):
    from efface.errors import SchemaMismatchError

    ada = town.ada()

    with renamed(town.alias, "town_line"), pytest.raises(SchemaMismatchError) as caught:
        town.close(ada)

    advice = f"manage.py makemigrations, and then: manage.py migrate{option}"
    assert caught.value.message().endswith(advice)


def test_what_a_constraint_refuses_is_compared_by_djangos_command(town, option):
    from django.db import connections

    from efface.errors import ConstraintError

    ada = town.ada()
    with connections[town.alias].cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX once ON town_person (last_name)")
    try:
        first = town.person("grace")
        town.close(first)
        with pytest.raises(ConstraintError) as caught:
            town.close(ada)
    finally:
        with connections[town.alias].cursor() as cursor:
            cursor.execute("DROP INDEX once")

    assert f"manage.py efface check{option}. If it finds nothing" in str(caught.value)


def test_an_account_that_was_marked_by_hand_is_adopted_by_the_lines_that_are_said(town):
    from django.utils import timezone

    from efface.django import close_account
    from efface.errors import UnrecordedClosingError

    ada = town.ada()
    town.Person.filter(pk=ada.pk).update(deleted_at=timezone.now())

    with pytest.raises(UnrecordedClosingError) as caught:
        close_account(ada.pk, actor="self-service", using=town.alias)
    lines = caught.value.message().splitlines()[-2:]
    exec("\n".join(line.strip() for line in lines), {"pk": ada.pk})

    assert town.Person.get(pk=ada.pk).email != "ada@example.org"
    again = close_account(ada.pk, actor="self-service", using=town.alias)
    assert again.already_closed


def test_a_key_of_another_kind_asks_for_the_rows(town):
    from efface.errors import SubjectKeyError

    with pytest.raises(SubjectKeyError) as caught:
        town.close("seven")

    assert caught.value.message().endswith(
        "Pass the primary key of a row, or in Python an object of the model."
    )


def test_what_is_left_unsettled_says_how_to_see_where(town):
    from django.db import connections

    from efface.django import run_pending
    from efface.django.models import Closing

    town.close(town.ada(), finalize=False)
    long_ago = "2020-01-01T00:00:00+00:00"
    Closing.objects.using(town.alias).update(closed_at=long_ago)
    with connections[town.alias].cursor() as cursor:
        cursor.execute("UPDATE efface_closings SET receipt = '{}'")
    (failure,) = run_pending(using=town.alias).failures

    (_, line) = failure.error.message().splitlines()[-2:]
    assert line.strip().startswith("eraser(")
    assert ".finalize(bind, eraser(" in line


def test_another_database_can_be_named_in_python_and_on_the_command_line(django):
    from efface.django import plan
    from efface.errors import WrongDatabaseError

    with pytest.raises(WrongDatabaseError) as caught:
        plan(1, using="replica")

    assert caught.value.message().endswith(
        "Name that database with using=..., or with --database on the command line."
    )
