"""A project whose users are spread over two tables; FAMILY says which of them is the person."""

import json
import os

SECRET_KEY = "a key of the project, for tests alone"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "efface.django",
    "tests.support.django_projects.family",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "family.Member"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
if "DATABASE" in os.environ:
    DATABASES["default"] = json.loads(os.environ["DATABASE"])
EFFACE = {"SECRET": "a key for the tests alone"}
