"""One Django project: the seven tables, in one database, with one of the packages installed."""

from dataclasses import dataclass, field
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db.models.sql import Query
from sqlalchemy import URL, make_url

from benchmarks.peers import parts

KEY = "a key of the benchmark"
HERE = "benchmarks.peers"
LOG = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}


class Unfiltered(Query):
    """A query as Django has it: this module is read before Efface is installed."""

    get_compiler = Query.get_compiler


@dataclass(frozen=True)
class Package:
    """What a package wants to have installed and set, by its documentation."""

    apps: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)


PACKAGES: dict[str, Package] = {
    parts.EFFACE: Package(("efface.django",), {"EFFACE": {"SECRET": KEY}}),
    parts.ASSIST: Package(
        ("gdpr_assist",),
        {
            "DATABASE_ROUTERS": ["gdpr_assist.routers.EventLogRouter"],
            "GDPR_CAN_ANONYMISE_DATABASE": True,
        },
    ),
    parts.SCRUBBER: Package(("django.contrib.sessions", "django_scrubber")),
    parts.ANONYMIZER: Package(("dj_anonymizer",)),
    parts.SAFEDELETE: Package(
        ("safedelete", f"{HERE}.soft"), {"SAFE_DELETE_FIELD_NAME": "deleted_at"}
    ),
}


def set_up(name: str, url: str) -> None:
    """Set Django up for the package *name* over the database at *url*, with empty tables."""
    package = PACKAGES[name]
    databases = {"default": _database(make_url(url))}
    if name == parts.ASSIST:
        databases["gdpr_log"] = LOG
    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            *package.apps,
            "benchmarks.district",
        ],
        AUTH_USER_MODEL="district.Person",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="of the benchmark",  # noqa: S106 - signs nothing
        USE_TZ=True,
        DATABASES=databases,
        **package.settings,
    )
    django.setup()
    for alias in databases:
        call_command("migrate", database=alias, run_syncdb=True, verbosity=0)


def _database(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        durable = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"
        options = {"transaction_mode": "IMMEDIATE", "init_command": durable}
        return {**LOG, "NAME": url.database, "OPTIONS": options}
    server = {"NAME": url.database, "USER": url.username or "", "PASSWORD": url.password or ""}
    server |= {"HOST": url.host or url.query.get("host", ""), "PORT": str(url.port or "")}
    return {"ENGINE": "django.db.backends.postgresql", **server}
