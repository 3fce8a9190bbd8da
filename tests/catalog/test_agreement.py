"""The catalog agrees with SQLAlchemy: with the models it was made of, and with its inspector."""

import warnings

import pytest
from sqlalchemy import MetaData, inspect
from sqlalchemy.exc import SAWarning

from efface.catalog import Catalog
from efface.catalog.difference import difference
from garden.models import Base as Garden
from tests.support.schemas import crew, forum, odds, tangle


def copied(metadata):
    """A copy: creating a foreign key by ALTER changes the models for every later database."""
    copy = MetaData()
    for table in metadata.tables.values():
        table.to_metadata(copy)
    return copy


SCHEMAS = {
    "crew": lambda _: crew.Base.metadata,
    "forum": lambda _: forum.Base.metadata,
    "garden": lambda _: Garden.metadata,
    "odds": odds.of,
    "tangle": lambda _: copied(tangle.metadata),
}


@pytest.fixture(params=SCHEMAS)
def metadata(request, database):
    """The models of a world, whose tables are in the database."""
    models = SCHEMAS[request.param](database)
    models.create_all(database)
    return models


def test_the_tables_of_models_are_as_the_models_say(database, metadata, read):
    assert difference(Catalog.of_models(metadata), read(database)) == ()


@pytest.mark.slow
def test_the_inspector_says_the_same(database, metadata, read):
    catalog, inspector = read(database), inspect(database)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # types that SQLAlchemy does not know
        told = {name: described(inspector, name) for name in inspector.get_table_names()}

    assert {str(each): summary(each) for each in catalog.relations if each.is_table} == told


def described(inspector, table):
    """What SQLAlchemy reads of a table, in as far as it is always right about it."""
    return {
        "columns": {c["name"] for c in inspector.get_columns(table)},
        "computed": {c["name"] for c in inspector.get_columns(table) if "computed" in c},
        "key": tuple(inspector.get_pk_constraint(table)["constrained_columns"]),
        "references": {
            (
                tuple(key["constrained_columns"]),
                key["referred_table"],
                tuple(key["referred_columns"]),
                key["options"].get("ondelete", "NO ACTION"),
                key["options"].get("initially", "IMMEDIATE"),
            )
            for key in inspector.get_foreign_keys(table)
        },
        "unique": {
            tuple(each["column_names"])
            for each in (*inspector.get_unique_constraints(table), *inspector.get_indexes(table))
            # On SQLite it leaves out indexes over expressions.
            if each.get("unique", True) and None not in each["column_names"]
        },
        "checks": {each["name"] for each in inspector.get_check_constraints(table)},
    }


def summary(relation):
    return {
        "columns": {column.name for column in relation.columns},
        "computed": {column.name for column in relation.columns if column.generated is not None},
        "key": relation.primary_key,
        "references": {
            (
                key.columns,
                str(key.target),
                key.target_columns,
                key.on_delete,
                "DEFERRED" if key.initially_deferred else "IMMEDIATE",
            )
            for key in relation.foreign_keys
        },
        "unique": {each.columns for each in relation.unique_keys if each.columns is not None},
        "checks": {check.name for check in relation.checks},
    }
