"""The town in a process of its own, with a live socket; the environment says where and how."""

import json
import os

from tests.support.django_projects import page_settings
from tests.support.django_projects.town.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.messages"]  # noqa: F405
ROOT_URLCONF = "tests.support.django_projects.live_site"
MIDDLEWARE = page_settings.MIDDLEWARE
TEMPLATES = page_settings.templates()
LOGIN_URL = "/log-in"
ALLOWED_HOSTS = ["127.0.0.1"]
CSRF_FAILURE_VIEW = "efface.django.csrf.csrf_failure"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["TOWN_DATABASE"],
        "OPTIONS": {
            "init_command": "PRAGMA journal_mode=WAL",
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
        },
    }
}
EFFACE = {
    "SECRET": "a key for the tests alone",
    "LIVE": "tests.support.django_projects.live_site.live",
    "LOGOUT_PATH": "/users/log_out",
}
globals().update(json.loads(os.environ.get("TOWN_SETTINGS", "{}")))
EFFACE |= json.loads(os.environ.get("TOWN_EFFACE", "{}"))
