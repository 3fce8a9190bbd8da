"""Django, set up once in this process, over SQLite and PostgreSQL."""

import os
from contextlib import ExitStack, contextmanager
from io import StringIO

import pytest
from sqlalchemy import make_url

from tests.support import databases

SETTINGS = "tests.support.django_projects.town.settings"


@pytest.fixture(scope="session")
def django():
    """Django with the town's models; tables are made when a database is first asked for."""
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    import django
    from django.db import connections

    django.setup()
    yield django
    connections.close_all()
    del os.environ["DJANGO_SETTINGS_MODULE"]


@pytest.fixture(scope="session")
def migrated(django, server_urls):
    """Give the alias of a database by its kind, with all tables."""
    from django.db import connections

    made = {}
    with ExitStack() as kept:

        def alias_of(kind):
            if kind not in made:
                made[kind] = _migrated(kind, server_urls, kept)
            return made[kind]

        yield alias_of
        connections.close_all()


def _migrated(kind, server_urls, kept):
    from django.core.management import call_command
    from django.db import connections

    alias = "default" if kind == "sqlite" else kind
    if alias == "postgresql":
        # Of its own: its tables stay, and other tests empty the database of the worker.
        shared = make_url(server_urls[kind])
        url = kept.enter_context(databases.database_on(shared, f"{shared.database}_town"))
        connections[alias].settings_dict.update(databases.in_django(url))
    call_command("migrate", database=alias, run_syncdb=True, verbosity=0)
    with connections[alias].cursor() as cursor:
        number = "bigserial" if alias == "postgresql" else "integer"
        cursor.execute(
            f"CREATE TABLE old_register (id {number} PRIMARY KEY, "
            "who_id bigint NOT NULL, remark text)"
        )
    return alias


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def alias(request, migrated):
    """A database of the town, empty again after the test."""
    from django.core.management import call_command
    from django.db import connections
    from django.utils import translation

    # Wherever the people are, sessions are in the first one.
    migrated("sqlite")
    alias = migrated(request.param)
    # A page in German leaves its language to whatever runs next in this thread.
    translation.deactivate()
    yield alias
    call_command("flush", database=alias, verbosity=0, interactive=False)
    with connections[alias].cursor() as cursor:
        cursor.execute("DELETE FROM old_register")


@pytest.fixture
def settings_of(django):
    """Give a block in which EFFACE says something else, and everything is read anew."""
    from django.conf import settings
    from django.test import override_settings

    from efface.django.policy import erasers

    def forget():
        erasers.load_eraser.cache_clear()
        erasers.require_eraser.cache_clear()
        erasers.fit_eraser.cache_clear()

    @contextmanager
    def changed(**said):
        with override_settings(EFFACE={**settings.EFFACE, **said}):
            forget()
            try:
                yield
            finally:
                forget()

    return changed


ADA = {
    "username": "ada.lovelace",
    "email": "ada@example.org",
    "nick": "Countess",
    "first_name": "Ada",
    "last_name": "Lovelace",
}


@pytest.fixture
def town(alias):
    return Town(alias)


class Town:
    """The models of the town in one database, and people in them."""

    def __init__(self, alias):
        from tests.support.django_projects.town import models

        self.alias, self.models = alias, models

    def __getattr__(self, name):
        # A test looks at what is there, not at what an application is shown.
        return getattr(self.models, name).objects.using(self.alias).include_closed()

    def person(self, name="grace", **fields):
        said = {"username": name, "email": f"{name}@example.org", "last_name": "Hopper", **fields}
        return self.Person.create(**said)

    def ada(self):
        return self.person(**ADA)

    def close(self, person, **options):
        from efface.django import close_account

        return close_account(person, actor="self-service", using=self.alias, **options)

    def receipts(self):
        from efface.django.accounts import receipts

        return receipts(using=self.alias)

    def command(self, *arguments):
        from django.core.management import call_command

        out = StringIO()
        call_command("efface", *arguments, "--database", self.alias, stdout=out)
        return out.getvalue()

    @contextmanager
    def statements(self):
        from django.db import connections
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connections[self.alias]) as found:
            yield found
