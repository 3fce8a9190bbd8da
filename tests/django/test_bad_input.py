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


def test_two_models_that_claim_one_table_are_named(django, settings_of):
    from efface.django.checks import check_policy
    from tests.support.django_projects.town.models import Badge, Tag

    kept = Badge._meta.db_table
    Badge._meta.db_table = Tag._meta.db_table
    try:
        with settings_of():
            (found,) = check_policy()
    finally:
        Badge._meta.db_table = kept

    assert "town.Badge and town.Tag" in found.msg
    assert found.id == "efface.E606"


def test_many_to_many_rules_name_fields(django, settings_of):
    from efface import Delete, data_subject, on_close
    from efface.django import Rules
    from efface.django.checks import check_policy
    from tests.support.django_projects.town.models import Person

    kept = Person.efface
    Person.efface = Rules(data_subject(), through={"freinds": on_close(Delete(), via="x")})
    try:
        with settings_of():
            texts = [message.msg for message in check_policy()]
    finally:
        Person.efface = kept

    assert texts == ["freinds is not a many-to-many field of town.Person. Did you mean friends?"]


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


@pytest.fixture
def log_about(django, settings_of):
    """What the checks say of a log whose generic pair names this model."""
    from efface import Generic, Redact, Replace, on_close, personal
    from efface.django import Rules
    from efface.django.checks import check_policy

    def problems(name):
        about = Generic("content_type", "object_id", type=name)
        rules = Rules(
            on_close(Redact(), via="user"),
            on_close(Redact(), via=about),
            personal={
                "object_repr": personal(Replace(""), via=about),
                "change_message": personal(Replace(""), via=about),
            },
            not_personal=["action_time", "action_flag"],
        )
        with settings_of(RULES={"admin.LogEntry": rules}):
            return check_policy()

    return problems


def test_a_generic_pair_about_rows_that_are_no_people_is_refused(log_about):
    """The key of a post would be taken for that of a person, whoever it is."""
    (found,) = log_about("town.Tag")

    assert (found.id, found.obj) == ("efface.E606", "django_admin_log.content_type")
    assert "keys of town.Tag would be taken for keys of users" in found.msg


@pytest.mark.parametrize("name", ["town.Person", "person", "town.Neighbor", "town.Trader"])
def test_a_generic_pair_about_any_model_with_a_persons_key_is_followed(log_about, name):
    assert log_about(name) == []


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


@pytest.mark.parametrize(
    ("said", "text", "line"),
    [
        (
            'Rules(personal=["body", "short"])',
            "personal must be a dictionary with a rule for each field, not a list:",
            'personal={"body": Replace("..."), "short": Replace("...")}',
        ),
        (
            'Rules(personal={"short": "x"})',
            "personal gives short a str, which is not an action.",
            'personal={"short": Replace("...")}',
        ),
        (
            'Rules(personal={"short": 7})',
            "personal gives short an int, which is not an action.",
            'personal={"short": Replace("...")}',
        ),
        (
            'Rules(personal={"short": Clear})',
            "personal gives short a class, which is not an action.",
            'personal={"short": Replace("...")}',
        ),
        (
            'Rules(personal={"short": [Clear()]})',
            "personal gives short a list, which is not an action.",
            'personal={"short": Replace("...")}',
        ),
        (
            'Rules(personal={"short": on_close(Delete(), via="author")})',
            "personal gives short a RuleItem, which is not an action.",
            'personal={"short": Replace("...")}',
        ),
        (
            'Rules(not_personal="short")',
            "not_personal must be a list of field names, not a str:",
            'not_personal=["short"]',
        ),
        (
            "Rules(not_personal=[Clear()])",
            "not_personal must be a list of field names, not a list:",
            'not_personal=["name"]',
        ),
        (
            'Rules(through=["members"])',
            "through must be a dictionary with a rule for each field, not a list:",
            'through={"members": on_close(...)}',
        ),
        (
            'Rules(through={"members": Delete()})',
            "Rules takes data_subject(), on_close() or no_personal_data().",
            'not_personal=["name"]',
        ),
        (
            "Rules(Delete())",
            "Rules takes data_subject(), on_close() or no_personal_data().",
            'not_personal=["name"]',
        ),
    ],
)
def test_rules_that_are_not_of_their_kind_are_refused_where_they_are_written(
    django, said, text, line
):
    from efface import Clear, Delete, Replace, on_close
    from efface.django import Rules
    from efface.errors import RulesError

    names = {each.__name__: each for each in (Clear, Delete, Replace, Rules, on_close)}
    with pytest.raises(RulesError) as caught:
        eval(said, names)

    (problem,) = caught.value.problems
    assert problem.text.startswith(text)
    assert problem.paste.endswith(line)
    if "on_close(...)" not in line:
        assert eval(f"Rules({problem.paste.splitlines()[-1]})", names)


def test_a_model_without_many_to_many_fields_lists_none(django, settings_of):
    from efface import Delete, on_close
    from efface.django.checks import check_policy
    from tests.support.django_projects.town.models import Rules, Tag

    kept = Tag.efface
    Tag.efface = Rules(through={"posts": on_close(Delete(), via="tag")})
    try:
        with settings_of():
            (found,) = check_policy()
    finally:
        Tag.efface = kept

    assert found.msg == "posts is not a many-to-many field of town.Tag."
