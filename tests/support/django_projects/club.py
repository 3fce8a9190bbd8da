"""A project of one application that a test writes, and what the check says of it."""

import json
import os
import subprocess
import sys

SETTINGS = """
SECRET_KEY, USE_TZ = "a key of the project, for tests alone", True
OF_DJANGO = ("auth", "contenttypes", "sessions")
INSTALLED_APPS = [*(f"django.contrib.{name}" for name in OF_DJANGO), "efface.django", "club"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
AUTH_USER_MODEL = "club.Member"
EFFACE = {"SECRET": "a key for the tests alone"}
"""
HEAD = """
from django.contrib.auth.models import AbstractUser
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models

from efface import *
from efface.django import Rules


class Member(AbstractUser):
    deleted_at = models.DateTimeField(null=True, blank=True)

    efface = Rules(
        data_subject(identifiers=["email"]),
        personal={
            "email": Replace(""),
            "username": Placeholder(),
            **dict.fromkeys(["password", "first_name", "last_name"], Replace("")),
            "last_login": Clear(),
            MORE
        },
        not_personal=[STAYS],
    )
"""
STAYS = '"is_active", "is_staff", "is_superuser", "date_joined"'
CHECK = """
import json

import django

django.setup()

from efface.django.checks import check_policy

print(json.dumps([[m.id, m.obj, m.msg, m.hint] for m in check_policy()]))
"""


def checked_in(folder, models="", *, more="", stays=STAYS):
    """Return what a project with these models is told, by place: code, text and lines."""
    (folder / "club").mkdir(exist_ok=True)
    (folder / "club" / "__init__.py").touch()
    (folder / "club" / "settings.py").write_text(SETTINGS)
    head = HEAD.replace("MORE", more).replace("STAYS", stays)
    (folder / "club" / "models.py").write_text(head + models)
    messages = json.loads(printed_in(folder, CHECK))
    return {obj: (code.removeprefix("efface."), msg, hint) for code, obj, msg, hint in messages}


def printed_in(folder, script):
    """Return what *script* prints in a process of the project's own."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", script],
        cwd=folder,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "club.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
