"""Efface's table as Django's migration makes it, held against the one definition of it."""

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

import efface.alembic  # noqa: F401 - teaches the operations
from efface.store.efface_tables import metadata

NAME = "efface_closings"


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_django_alembic_and_the_metadata_make_the_same_table(migrated, server_urls, kind):
    from efface.django.database.django_connection import get_engine

    alias = migrated(kind)
    by_django = described(inspect(get_engine(alias)))
    url = server_urls[kind] if kind == "postgresql" else "sqlite://"

    made = [
        made_by(make, create_engine(url, poolclass=NullPool), name)
        for name, make in (
            ("by_metadata", lambda bind: metadata.create_all(bind, checkfirst=False)),
            ("by_alembic", lambda bind: operations(bind).create_efface_tables()),
        )
    ]

    assert made == [by_django, by_django]


def test_models_and_migration_agree(django):
    from django.core.management import call_command

    call_command("makemigrations", "efface", check=True, dry_run=True, verbosity=0)


def test_the_table_is_not_dropped_while_closings_are_recorded(town):
    from django.core.management import call_command

    from efface.errors import ClosedAccountsError

    town.close(town.ada())

    with pytest.raises(ClosedAccountsError):
        call_command("migrate", "efface", "zero", database=town.alias, verbosity=0)

    assert len(town.receipts()) == 1


def made_by(make, engine, schema):
    """What *make* makes, on PostgreSQL in a schema of its own; nothing is committed."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            make(connection)
            return described(inspect(connection))
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        connection.exec_driver_sql(f"SET search_path TO {schema}")
        make(connection)
        return described(inspect(connection), schema)


def operations(connection):
    return Operations(MigrationContext.configure(connection))


def described(inspector, schema=None):
    unique = inspector.get_unique_constraints(NAME, schema=schema)
    return {
        "columns": [
            (c["name"], repr(c["type"]), c["nullable"], bool(c["default"]))
            for c in inspector.get_columns(NAME, schema=schema)
        ],
        "key": inspector.get_pk_constraint(NAME, schema=schema)["constrained_columns"],
        "indexes": sorted(
            (i["name"], i["unique"], tuple(i["column_names"]))
            for i in inspector.get_indexes(NAME, schema=schema)
        ),
        "unique": [u["column_names"] for u in unique],
    }
