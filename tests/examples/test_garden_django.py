"""What is special about the garden on Django: all else it does as the other one, case by case."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, inspect

from efface.store.efface_tables import metadata as efface_tables
from garden.accounts import tokens
from garden.models import Base
from tests.support.gardens import SECRET
from tests.support.gardens.child_process import environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression"),
]


def django_admin(*command, database_url):
    """What a command of Django says about the garden."""
    return subprocess.run(
        [sys.executable, "-m", "django", *command],
        env=environment(database_url, secret=SECRET, dev=True),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def described(url):
    """The tables of a garden: columns, keys, and where references lead."""
    engine = create_engine(url)
    here = inspect(engine)
    tables = {}
    for table in (*Base.metadata.tables, *efface_tables.tables):
        keys = here.get_foreign_keys(table)
        tables[table] = {
            "columns": {each["name"]: each["nullable"] for each in here.get_columns(table)},
            "primary key": sorted(here.get_pk_constraint(table)["constrained_columns"]),
            "references": sorted(
                (*each["constrained_columns"], each["referred_table"], *each["referred_columns"])
                for each in keys
            ),
        }
    engine.dispose()
    return tables


@pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def test_both_gardens_make_the_same_tables(kind, request):
    if kind == "sqlite":
        blank = request.getfixturevalue("blank_files")
        urls = [f"sqlite:///{blank(framework)}" for framework in ("fastapi", "django")]
    else:
        template = request.getfixturevalue("templates")
        urls = [template(framework) for framework in ("fastapi", "django")]

    fastapi, django = (described(url) for url in urls)

    assert {"users", "users_tokens", "efface_closings"} <= django.keys()
    assert django == fastapi


@pytest.mark.django("the other garden purges by itself")
def test_a_command_purges_expired_tokens(garden):
    ada = garden.member()
    garden.clock.now = datetime.now(UTC)
    garden.token(ada, tokens.RESET_PASSWORD)
    garden.clock.advance(hours=-1)
    garden.token(ada, tokens.RESET_PASSWORD)

    said = django_admin("purge_tokens", database_url=garden.settings.database_url)

    assert said == "1 expired tokens deleted.\n"
    assert garden.count("users_tokens") == 1


def test_django_finds_nothing_to_complain_of(blank_files):
    url = f"sqlite:///{blank_files('django')}"

    said = django_admin(
        "check", "--fail-level", "WARNING", "--database", "default", database_url=url
    )

    assert "no issues" in said
