"""Efface's table as Django's migration makes it, held against the one definition of it."""

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from efface.store.tables import metadata

NAME = "efface_closings"


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_the_migration_makes_the_table_that_every_other_host_makes(migrated, server_urls, kind):
    """Alembic's operations are held against the same MetaData."""
    from efface.django.bridge import engine

    alias = migrated(kind)
    by_django = described(inspect(engine(alias)))
    schema = "other" if kind == "postgresql" else None
    url = server_urls[kind] if schema else "sqlite://"
    other = create_engine(url, poolclass=NullPool)
    with other.connect() as connection:
        if schema:
            connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
            connection.exec_driver_sql(f"SET search_path TO {schema}")
        metadata.create_all(connection, checkfirst=False)
        by_all = described(inspect(connection), schema)

    assert by_all == by_django


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
