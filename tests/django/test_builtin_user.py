"""Projects with Django's stock users, whose class and migrations nobody edits."""

import json
import os
import subprocess
import sys

import pytest

from tests.support import databases

pytestmark = pytest.mark.slow

SETTINGS = """
import json
import os

from efface import Clear, Delete, data_subject, on_close
from efface.django import Rules

SECRET_KEY, USE_TZ = "a key of the project, for tests alone", True
OF_DJANGO = ("admin", "auth", "contenttypes", "messages", "sessions")
INSTALLED_APPS = [*(f"django.contrib.{name}" for name in OF_DJANGO), "efface.django", "town"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": json.loads(os.environ["DATABASE"])}
SAID = {
    "usual": {},
    "no tombstone": {"USER_MODEL": None},
    "a field of our own": {"RULES": {"auth.User": Rules(personal={"phone": Clear()})}},
    "other people": {
        "RULES": {"town.Guest": Rules(data_subject(Delete()), not_personal=["name"])}
    },
    "nowhere": {"USER_MODEL": "auth.Usr"},
    "rows that stay": {"POLICY": "stay.toml"},
    "rows that go": {"POLICY": "go.toml"},
}
EFFACE = {"SECRET": "a key for the tests alone", **SAID[os.environ.get("CASE", "usual")]}
"""
MODELS = """
import os

from django.contrib.auth.models import User
from django.db import models

from efface import no_personal_data
from efface.django import Rules

if os.environ.get("CASE") == "a field of our own":
    models.TextField(null=True).contribute_to_class(User, "phone")


class Guest(models.Model):
    name = models.TextField()
    if os.environ.get("CASE") != "other people":
        efface = Rules(no_personal_data(reason="guests of nobody"))
"""
SET_UP = """
import json

import django
from django.core.management import call_command

django.setup()

from django.contrib.auth.models import User
from django.db import connection, transaction

from efface.django import close_account
from efface.django.database.django_connection import sqlalchemy_connection
from efface.django.accounts import eraser
from efface.django.policy.erasers import find_problems
from efface.errors import ClosedAccountsError, EffaceError
from efface.testing import assert_no_trace, populate


def columns():
    with connection.cursor() as cursor:
        described = connection.introspection.get_table_description(cursor, "auth_user")
    return {column.name for column in described}


def migrate(*where):
    call_command("migrate", *where, verbosity=0, skip_checks=True, run_syncdb=not where)
"""
STORY = """
migrate("auth")
migrate("efface", "0002")
before = "deleted_at" in columns()
with connection.cursor() as cursor:
    cursor.execute(
        "INSERT INTO auth_user (username, email, password, first_name, last_name, is_active, "
        "is_staff, is_superuser, date_joined) VALUES ('early', '', '', '', '', true, false, false, "
        "'2026-01-01 00:00:00+00:00')"
    )
migrate()
call_command("makemigrations", check=True, dry_run=True, verbosity=0)
after = "deleted_at" in columns()
migrate("efface", "0002")
back = "deleted_at" in columns()
migrate()

early = User.objects.get(username="early")
with transaction.atomic(), sqlalchemy_connection("default") as bind:
    people = populate(bind, eraser().policy)
receipt = close_account(people.user.key, actor="self-service")
with transaction.atomic(), sqlalchemy_connection("default") as bind:
    assert_no_trace(bind, eraser().policy, people.user.traces, subject=people.user.key)
row = User.objects.include_closed().values().get(pk=people.user.key)
try:
    migrate("efface", "0002")
except ClosedAccountsError as error:
    refused = (error.table, error.column, error.rows)
print(json.dumps({
    "column": [before, after, back],
    "problems": [str(problem) for problem in find_problems("default")],
    "open": sorted(User.objects.values_list("pk", flat=True)) == sorted(
        [early.pk, people.bystander.key]
    ),
    "row": {name: value for name, value in row.items() if name.startswith("is_")},
    "closed": row["deleted_at"] is not None,
    "clean": receipt.search.is_clean,
    "refused": refused,
    "still_there": "deleted_at" in columns(),
}))
"""
PROBLEMS = """
try:
    found = find_problems("default")
    print(json.dumps([f"{each.place} {each.text} {each.paste}" for each in found]))
except EffaceError as error:
    print(json.dumps([error.message()]))
"""


def told(folder, code, database, case="usual"):
    """What a project answers to *code*."""
    (folder / "town").mkdir()
    (folder / "town" / "__init__.py").touch()
    for name, text in (("settings.py", SETTINGS), ("models.py", MODELS)):
        (folder / "town" / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", SET_UP + code],
        cwd=folder,
        env={
            **os.environ,
            "CASE": case,
            "DATABASE": json.dumps(database),
            "DJANGO_SETTINGS_MODULE": "town.settings",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, server_urls, tmp_path):
    """The setting of an empty database."""
    if request.param == "sqlite":
        return sqlite(tmp_path)
    databases.emptied(server_urls["postgresql"]).dispose()
    return databases.in_django(server_urls["postgresql"])


def sqlite(folder):
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "town.db")}


def test_stock_users_are_given_a_tombstone_by_a_migration_that_leaves_theirs_alone(place, tmp_path):
    found = told(tmp_path, STORY, place)

    assert found["column"] == [False, True, False]
    assert found["problems"] == []
    assert found["open"]
    assert found["closed"]
    assert found["clean"]
    assert found["row"] == {"is_active": False, "is_staff": False, "is_superuser": False}
    assert found["refused"] == ["auth_user", "deleted_at", 1]
    assert found["still_there"]


def test_a_field_that_a_project_has_added_is_decided_beside_the_usual_ones(tmp_path):
    assert told(tmp_path, PROBLEMS, sqlite(tmp_path), "a field of our own") == []


def test_without_a_tombstone_the_line_for_the_settings_is_said(tmp_path):
    (problem,) = told(tmp_path, PROBLEMS, sqlite(tmp_path), "no tombstone")

    assert problem.startswith("auth_user.deleted_at")
    assert '"USER_MODEL": "auth.User"' in problem


def test_where_others_are_the_people_the_users_are_decided_like_any_table(tmp_path):
    problems = told(tmp_path, PROBLEMS, sqlite(tmp_path), "other people")

    assert any(problem.startswith("auth_user ") for problem in problems)
    assert not any("deleted_at" in problem for problem in problems)


@pytest.mark.parametrize(
    ("case", "given"),
    [("usual", "auth.User"), ("rows that stay", "auth.User"), ("rows that go", None)],
)
def test_the_field_is_added_where_rows_of_stock_users_stay(tmp_path, case, given):
    (tmp_path / "stay.toml").write_text('tables.auth_user.data_subject.identifiers = ["email"]')
    (tmp_path / "go.toml").write_text('tables.auth_user.data_subject.action = "Delete"')
    code = (
        "has_field = any(f.name == FIELD_NAME for f in User._meta.fields)\n"
        "print(json.dumps([user_model_label(), has_field]))"
    )
    imported = "from efface.django.schema.deleted_at_field import FIELD_NAME, user_model_label\n"

    found = told(tmp_path, imported + code, sqlite(tmp_path), case)

    assert found == [given, given is not None]


def test_a_tombstone_for_a_model_that_is_not_there_is_one_sentence(tmp_path):
    (problem,) = told(tmp_path, PROBLEMS, sqlite(tmp_path), "nowhere")

    assert "EFFACE names an unknown model auth.Usr in USER_MODEL." in problem
    assert "auth.User" in problem
