"""The guides for Django: their files make a project, and their code runs in it."""

import os
import re
import subprocess
import sys

import pytest

from tests.support.installed_wheel import built, python_with
from tests.support.paths import DOCS
from tests.support.readme_differences import applied, django_and_fastapi

HOW_TO = DOCS / "how-to"
# In the order in which a newcomer reads them.
GUIDES = (
    "django",
    "django-rules",
    "django-hiding",
    "django-logout",
    "django-closing-page",
    "django-live",
    "django-operations",
)
BLOCK = re.compile(r"^```python\n(?:# (\S+\.py)\n)?(.*?)^```$", re.MULTILINE | re.DOTALL)
START = """
import django
from django.core.management import call_command

django.setup()
call_command("check")
call_command("makemigrations", verbosity=0)
call_command("migrate", verbosity=0)
"""

WITHOUT = """
from importlib.util import find_spec

assert find_spec("django")
assert not any(map(find_spec, ("alembic", "jinja2", "itsdangerous", "redis", "starlette")))
"""
WHERE = """
import efface

print(efface.__file__)
"""

OPEN_PAGES = """
from myapp import asgi, live

joan = Member.objects.create_user("joan", "joan@example.org", "a password")
browser.force_login(joan)
assert 'data-live-path="/live"' in browser.get("/account/close").text
assert callable(asgi.application)
assert browser.delete("/logout").status_code == 204
assert 'data-live-path="/live"' not in browser.get("/account/close").text
assert live.live.count(joan.pk) == 0
"""


# What the guides say of notes and of namesakes.
NOTES = """
from django.contrib.contenttypes.models import ContentType
from myapp.models import Note

people, posts = (ContentType.objects.get_for_model(model) for model in (Member, Post))
mary = Member.objects.create_user("mary", "mary@example.org", "a password", last_name="Somerville")
Member.objects.create_user("martha", "martha@example.org", "a password", last_name="Somerville")
for kind in (people, posts):
    Note.objects.create(content_type=kind, object_id=mary.pk, text="Has called.")
receipt = close_account(mary, actor="test")
assert Note.objects.get().content_type == posts
(found,) = receipt.search.findings
assert (found.table, found.column, found.rows) == ("myapp_member", "last_name", 1)
"""

# The settings of the closing page, as the guide for it makes them.
SETTINGS_OF_THE_PAGE = """
from django.core import mail

assert [email.to for email in mail.outbox] == [["grace@example.org"]]
chief = Member.objects.create_superuser("chief", "chief@example.org", "a password")
browser.force_login(chief)
page = browser.get("/account/close").text
assert "You are the last administrator." in page
assert browser.post("/account/close", sent).status_code == 409
Member.objects.create_superuser("deputy", "deputy@example.org", "a password")
Post.objects.create(author=chief, body="Welcome.")
page = browser.get("/account/close").text
assert "You are the last administrator." not in page
assert "things you wrote (1)" in page and "our bookkeeper" in page
"""
# Its emails are kept in memory.
EMAIL = 'EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"\n'

# A settings page of the project's own, in a project whose TEMPLATES name no context processor.
OWN_TEMPLATES = """
from django.shortcuts import render
from django.test import RequestFactory

joan = Member.objects.create_user("joan", "joan@example.org", "a password")
request = RequestFactory(headers={"host": "myapp.example"}).get("/settings")
request.user = joan
assert "<b>Sure?</b>" in render(request, "settings.html").text
browser.force_login(joan)
page = browser.get("/account/close").text
assert "<b>Sure?</b>" in page and "Current password" in page
"""
TEMPLATES = {
    "myapp/templates/settings.html": "{% load efface %}{% delete_account %}",
    "myapp/templates/efface/delete_account_dialog.html": (
        '{% extends "efface/delete_account_dialog.html" %}'
        "{% block consent %}<b>Sure?</b>{% endblock %}"
    ),
}


# What the reader of README has already: Django's own users, and a table.
PROJECT = {
    "myapp/settings.py": """
import os

SECRET_KEY, ROOT_URLCONF = os.environ["SECRET_KEY"], "myapp.urls"
INSTALLED_APPS = [f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions")]
INSTALLED_APPS += ["myapp"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
]
ALLOWED_HOSTS = ["testserver"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "myapp.db"}}
""",
    "myapp/models.py": """
from django.contrib.auth.models import User
from django.db import models

class Post(models.Model):
    author = models.ForeignKey(User, on_delete=models.PROTECT)
    body = models.TextField()
""",
    "myapp/urls.py": """
from django.http import HttpResponse
from django.urls import include, path

def who(request):
    return HttpResponse(request.user.get_username() or "nobody")

urlpatterns = [path("", who)]
""",
}
LEAVING = """
from django.contrib.auth.models import User
from django.test import Client
from myapp.models import Post

ada = User.objects.create_user("ada", "ada@example.org", "a password", last_name="Lovelace")
Post.objects.create(author=ada, body="Yours, Lovelace")
laptop, phone = Client(), Client()
for device in (laptop, phone):
    device.force_login(ada)
    assert device.get("/").content == b"ada"
assert "Delete your account?" in laptop.get("/account/close").text
sent = {"current_password": "a password", "confirm": "yes"}
assert laptop.post("/account/close", sent).status_code == 303
assert [device.get("/").content for device in (laptop, phone)] == [b"nobody", b"nobody"]
assert not User.objects.exists()
assert User.objects.include_closed().get().email.endswith("@users.invalid")
assert Post.objects.get().body == "Yours, a former member"
"""


def added():
    """The project with what README adds to it."""
    difference, _ = django_and_fastapi()
    return applied(difference, PROJECT)


@pytest.mark.slow
def test_the_lines_of_readme_close_an_account_and_sign_it_out(tmp_path):
    done = run(tmp_path, added(), START + LEAVING)

    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def guides():
    """The files of the project in the guides, and the code that runs in it."""
    code, files = START, {}
    for guide in GUIDES:
        for name, block in BLOCK.findall((HOW_TO / f"{guide}.md").read_text()):
            if name:
                files[name] = files.get(name, "") + block
            else:
                code += block
    files["myapp/settings.py"] += EMAIL
    return files, code


def test_every_guide_is_run():
    assert sorted(GUIDES) == sorted(path.stem for path in HOW_TO.glob("django*.md"))


@pytest.mark.slow
def test_the_project_of_the_guides_closes_an_account(guides, tmp_path):
    files, code = guides

    done = run(tmp_path, files, code + SETTINGS_OF_THE_PAGE + OPEN_PAGES + NOTES)

    assert done.returncode == 0, done.stderr
    assert "WARNINGS" not in done.stderr
    assert "myapp_post" in done.stdout


@pytest.mark.slow
def test_templates_of_the_project_in_the_guides_replace_ours(guides, tmp_path):
    files, code = guides

    done = run(tmp_path, files | TEMPLATES, code + OWN_TEMPLATES)

    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_it_does_so_where_no_more_is_installed_than_the_extra_brings_along(guides, tmp_path):
    """What the tests import besides, such as Starlette, would hide an import of it."""
    (tmp_path / "installed").mkdir()
    python, environment = python_with(built(tmp_path), "django", tmp_path / "installed")
    files, code = guides

    done = run(tmp_path, files, WITHOUT + code + OPEN_PAGES + WHERE, python=python, **environment)

    assert done.returncode == 0, done.stderr
    assert "myapp_post" in done.stdout
    assert done.stdout.splitlines()[-1] == str(tmp_path / "installed" / "efface" / "__init__.py")


# The project of README with the admin, and built-in users in it as the guide registers them.
WITH_ADMIN = """
INSTALLED_APPS += ["django.contrib.admin", "django.contrib.messages"]
MIDDLEWARE += ["django.contrib.messages.middleware.MessageMiddleware"]
TEMPLATES[0]["OPTIONS"] = {
    "context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]
}
"""
IN_THE_ADMIN = """
from django.contrib.auth.models import User
from django.test import Client

office = Client()
office.force_login(User.objects.create_superuser("grace"))
ada = User.objects.create_user("ada", "ada@example.org", "a password")
there = "/admin/auth/user/"
assert '<option value="close_accounts">Close accounts' in office.get(there).text
chosen = {"action": "close_accounts", "_selected_action": [ada.pk]}
assert "auth_user" in office.post(there, chosen).text  # its plan
"""


@pytest.mark.slow
def test_built_in_users_are_registered_again_in_the_admin_as_the_guide_shows(guides, tmp_path):
    files, _ = guides
    project = added()
    project["myapp/settings.py"] += WITH_ADMIN
    project["myapp/urls.py"] += (
        "\nfrom django.contrib import admin\nurlpatterns += [path('admin/', admin.site.urls)]\n"
    )

    project["myapp/admin.py"] = files["myapp/admin.py"]

    done = run(tmp_path, project, START + IN_THE_ADMIN)

    assert done.returncode == 0, done.stderr


# People who log in by a link in a mail: their model is Django's in nothing but its name.
PLAIN = {
    "myapp/settings.py": PROJECT["myapp/settings.py"]
    + """
INSTALLED_APPS += ["efface.django"]
AUTH_USER_MODEL, EFFACE = "myapp.Guest", {"SECRET": os.environ["EFFACE_SECRET"]}
""",
    "myapp/models.py": """
from django.db import models

from efface import Placeholder, Redact, data_subject
from efface.django import Rules


class Guest(models.Model):
    email = models.EmailField(unique=True)
    deleted_at = models.DateTimeField(null=True)
    objects = models.Manager()

    USERNAME_FIELD, REQUIRED_FIELDS = "email", []
    is_authenticated, is_anonymous, is_active = True, False, True
    efface = Rules(data_subject(), personal={"email": Placeholder.email()})

    def get_session_auth_hash(self):
        # Before Django 6.1 a model could do without.
        return "of a guest"
""",
    "myapp/urls.py": """
from django.urls import include, path

urlpatterns = [path("account/close", include("efface.django.urls"))]
""",
}
BY_A_LINK = """
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.test import Client
from myapp.models import Guest

ada = Guest.objects.create(email="ada@example.org")
browser = Client()
browser.force_login(ada, "django.contrib.auth.backends.ModelBackend")
page = browser.get("/account/close")
assert page.status_code == 200 and "current_password" not in page.text
settings.EFFACE |= {"CLOCK": lambda: datetime.now(UTC) + timedelta(minutes=11)}
assert browser.post("/account/close", {"confirm": "yes"}).status_code == 403
del settings.EFFACE["CLOCK"]
assert browser.post("/account/close", {"confirm": "yes"}).status_code == 303
assert not Guest.objects.exists()
"""


@pytest.mark.slow
def test_who_has_no_password_at_all_proves_it_by_a_recent_log_in(tmp_path):
    done = run(tmp_path, PLAIN, START + BY_A_LINK)

    assert done.returncode == 0, done.stderr


def run(folder, files, code, *, python=(sys.executable,), **environment):
    """Run *code* beside a project of these files."""
    (folder / "myapp" / "migrations").mkdir(parents=True)
    for package in ("myapp", "myapp/migrations"):
        (folder / package / "__init__.py").touch()
    for name, text in {**files, "page.py": code}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return subprocess.run(
        [*python, "page.py"],
        cwd=folder,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "myapp.settings",
            "SECRET_KEY": "a key of the project, for tests alone",
            "EFFACE_SECRET": "a key for the tests alone",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
