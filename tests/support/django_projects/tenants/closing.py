"""Close accounts in schemas of tenants, and print what came of it."""

import json
import os

import django
from django.conf import settings

SHARED = os.environ["MEMBERS"] == "shared"
settings.configure(
    SECRET_KEY="a key of the project, for tests alone",
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "efface.django",
        "tests.support.django_projects.tenants",
    ],
    DATABASES={
        "default": {
            **json.loads(os.environ["DATABASE"]),
            "ENGINE": "tests.support.django_projects.tenants.backend",
        }
    },
    DATABASE_ROUTERS=[f"{__name__}.BySchema"],
    AUTH_USER_MODEL="tenants.Member",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    EFFACE={"SECRET": "a key for the tests alone"},
    LOGGING_CONFIG=None,
)


class BySchema:
    """Tell by the schema which tables are there."""

    def allow_migrate(self, _db, app_label, model_name=None, **_):
        from django.db import connection

        if app_label != "tenants":
            return None
        is_public = connection.schema_name == "public"
        return is_public if SHARED and model_name and "order" not in model_name else not is_public


def build(connection):
    """Make the tables of each schema; those of Django itself are shared."""
    from django.core.management import call_command

    from efface.django.models import Closing
    from tests.support.django_projects.tenants.models import Member, Order

    call_command("migrate", "auth", verbosity=0)
    for name in ("public", "north", "south"):
        if name != "public":
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE SCHEMA {name}")
        connection.set_schema(name)
        with connection.schema_editor() as editor:
            for model in (Member, Order):
                if BySchema().allow_migrate("default", "tenants", model._meta.model_name):
                    editor.create_model(model)
            if (name == "public") == SHARED:
                editor.create_model(Closing)


def close_in(connection, name):
    """Close the account with the key 1 in a schema, and return what came of it."""
    from django.db import transaction

    from efface.django import close_account, eraser, sqlalchemy_connection
    from efface.errors import EffaceError

    connection.set_schema(name)
    try:
        receipt = close_account(1, actor="test")
        with transaction.atomic(), sqlalchemy_connection("default") as bind:
            assert eraser().find_receipt(bind, 1) is not None
    except EffaceError as error:
        return [error.code, str(error)]
    return [receipt.search.is_clean, receipt.rows]


def main():
    """Print the outcomes by schema, and what is left of each."""
    django.setup()
    from django.db import connection

    from tests.support.django_projects.tenants.models import Member, Order

    build(connection)
    for home in ["public"] if SHARED else ["north", "south"]:
        connection.set_schema(home)
        Member.objects.create(username="ada", email=f"ada@{home}.example")
    for name in ("north", "south"):
        connection.set_schema(name)
        Order.objects.create(buyer_id=1, note="hers")
    outcomes = {name: close_in(connection, name) for name in os.environ["CLOSED_IN"].split()}
    left = {}
    for name in ("north", "south"):
        connection.set_schema(name)
        left[name] = [*Order.objects.values_list("note", flat=True)]
        with connection.cursor() as cursor:
            # Django's managers hide who has left.
            cursor.execute("SELECT email FROM tenants_member")
            left[name] += [email for (email,) in cursor.fetchall()]
    print(json.dumps([outcomes, left]))


if __name__ == "__main__":
    main()
