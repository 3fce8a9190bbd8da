"""What is refused: one sentence each, and nothing has changed."""

import subprocess
import sys

import pytest


def test_a_database_without_people_is_named_with_those_that_have_them(django, settings_of):
    from django.test import override_settings

    from efface.django import plan
    from efface.errors import WrongDatabaseError

    with (
        override_settings(
            DATABASE_ROUTERS=["tests.support.django_projects.town.routers.NobodyInDefault"]
        ),
        settings_of(),
        pytest.raises(WrongDatabaseError) as caught,
    ):
        plan(1, using="default")

    assert caught.value.known == ("postgresql",)


def test_an_alias_that_does_not_exist_is_refused(django):
    from efface.django import plan
    from efface.errors import WrongDatabaseError

    with pytest.raises(WrongDatabaseError, match="is not in the database replica"):
        plan(1, using="replica")


def test_an_object_of_another_model_is_refused(town):
    from efface.errors import SubjectKeyError

    tag = town.Tag.create(slug="gardens")

    with pytest.raises(SubjectKeyError, match=r"town\.Tag"):
        town.close(tag)


@pytest.mark.parametrize("key", ["seven", None, 3.5])
def test_a_key_of_another_type_is_refused_without_repeating_it(town, key):
    from efface.errors import EffaceError

    with pytest.raises(EffaceError) as caught:
        town.close(key)

    assert "Nothing was changed" in str(caught.value)
    assert "seven" not in str(caught.value)


def test_a_person_who_does_not_exist_is_refused(town):
    from efface.errors import UnknownSubjectError

    with pytest.raises(UnknownSubjectError):
        town.close(4711)


def test_an_actor_that_names_the_person_is_refused_without_repeating_it(town):
    from django.core.management import CommandError

    ada = town.ada()

    with pytest.raises(CommandError, match="E417 ActorIdentifiesUserError") as caught:
        town.command("close", str(ada.pk), "--actor", "mail of ada@example.org")

    assert "Nothing was changed." in str(caught.value)
    assert "ada" not in str(caught.value)
    assert town.Person.get(pk=ada.pk).email == "ada@example.org"
    assert town.receipts() == []


def test_a_broken_transaction_is_djangos_to_refuse(town):
    from django.db import transaction
    from django.db.transaction import TransactionManagementError

    ada = town.ada()
    with transaction.atomic(using=town.alias):
        transaction.set_rollback(True, using=town.alias)
        with pytest.raises(TransactionManagementError):
            town.close(ada)

    assert not town.Person.filter(pk=ada.pk).exclude(email="ada@example.org").exists()


def test_a_failing_receiver_keeps_nobody_from_being_closed(town):
    from efface.django import account_closed

    def failing(**_):
        raise ZeroDivisionError

    account_closed.connect(failing)
    try:
        receipt = town.close(town.ada())
    finally:
        account_closed.disconnect(failing)

    assert receipt.finalized_at is not None


def test_a_table_that_is_missing_is_named_and_nothing_is_changed(town):
    from django.db import connections

    from efface.django.policy import erasers
    from efface.errors import MissingTablesError

    ada = town.ada()
    erasers.load_eraser.cache_clear()
    erasers.require_eraser.cache_clear()
    erasers.fit_eraser.cache_clear()
    with connections[town.alias].cursor() as cursor:
        cursor.execute("ALTER TABLE efface_closings RENAME TO elsewhere")
    try:
        with pytest.raises(MissingTablesError):
            town.close(ada)
    finally:
        with connections[town.alias].cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO efface_closings")

    assert town.Person.get(pk=ada.pk).email == "ada@example.org"


def printed_by(script):
    """What Python prints that runs it in a process of its own."""
    return subprocess.check_output([sys.executable, "-c", script], text=True)


def test_without_django_one_sentence_says_what_to_install():
    script = (
        "import sys; sys.modules['django'] = None\n"
        "try:\n    import efface.django\n"
        "except Exception as error:\n    print(error)"
    )

    assert 'pip install "efface[django]"' in printed_by(script)


def test_routes_without_the_application_name_the_line_that_is_missing():
    """Its templates and its hiding of closed accounts come with the application."""
    script = (
        "import django\nfrom django.conf import settings\n"
        "apps = [f'django.contrib.{name}' for name in ('auth', 'contenttypes')]\n"
        "settings.configure(INSTALLED_APPS=apps)\n"
        "django.setup()\n"
        "try:\n    import efface.django.urls\n"
        "except Exception as error:\n    print(error)"
    )

    assert 'INSTALLED_APPS += ["efface.django"]' in printed_by(script)


def test_a_model_that_is_undecided_stops_the_closing_of_everybody(town, settings_of):
    from efface.errors import IncompletePolicyError
    from tests.support.django_projects.town.models import Badge

    ada, kept = town.ada(), Badge.efface
    del Badge.efface
    try:
        with settings_of(), pytest.raises(IncompletePolicyError, match=r"town\.Badge"):
            town.close(ada)
    finally:
        Badge.efface = kept

    assert town.Person.get(pk=ada.pk).email == "ada@example.org"
    assert town.receipts() == []


def test_a_table_of_the_persons_that_is_missing_is_named_and_nothing_is_changed(town):
    """Not managed by Django, and not made by anybody: its rows would be left unread."""
    from django.db import connections

    from efface.errors import SchemaMismatchError

    ada = town.ada()
    with connections[town.alias].cursor() as cursor:
        cursor.execute("ALTER TABLE old_register RENAME TO elsewhere")
    try:
        with pytest.raises(SchemaMismatchError, match="old_register"):
            town.close(ada)
    finally:
        with connections[town.alias].cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO old_register")

    assert town.Person.get(pk=ada.pk).email == "ada@example.org"
    assert town.receipts() == []


def test_a_bind_outside_of_a_transaction_is_refused(town):
    """Each statement would be committed by itself."""
    from efface.django import eraser, sqlalchemy_connection
    from efface.errors import AtomicBlockError

    ada = town.ada()
    with pytest.raises(AtomicBlockError), sqlalchemy_connection(town.alias) as bind:
        eraser(town.alias).close_account(bind, ada.pk, actor="test")

    assert town.receipts() == []


def test_an_inner_block_that_is_undone_takes_its_closing_with_it_and_no_other(town):
    from django.db import transaction

    from efface.django import account_closed

    ada, grace = town.ada(), town.person()
    told = []

    def hear(receipt, **_):
        told.append(receipt.reference)

    account_closed.connect(hear)
    try:
        with transaction.atomic(using=town.alias):
            kept = town.close(grace)
            with transaction.atomic(using=town.alias):
                town.close(ada)
                transaction.set_rollback(True, using=town.alias)
    finally:
        account_closed.disconnect(hear)

    assert [receipt.reference for receipt in town.receipts()] == [kept.reference] == told
    assert town.Person.get(pk=ada.pk).email == "ada@example.org"
    assert town.Person.get(pk=grace.pk).deleted_at is not None


def test_a_user_read_from_a_replica_is_closed_where_users_are_written(town):
    """What the object was read from does not decide."""
    from django.test import override_settings

    from efface.django import close_account

    ada = town.ada()
    ada._state.db = "a replica that has gone"
    with override_settings(DATABASE_ROUTERS=[WrittenTo(town.alias)]):
        receipt = close_account(ada, actor="test")

    assert [each.reference for each in town.receipts()] == [receipt.reference]


class WrittenTo:
    """Reads go to a replica that nobody can reach, writes to one database."""

    def __init__(self, alias):
        self.alias = alias

    def db_for_read(self, *_, **__):
        return "a replica that has gone"

    def db_for_write(self, *_, **__):
        return self.alias
