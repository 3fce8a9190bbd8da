"""Models whose tables a database does not have, such as views made for another kind of it."""

from __future__ import annotations

from sqlalchemy import inspect

from efface.django.database.django_connection import engine
from efface.django.schema.models_to_metadata import Schema
from efface.policy.policy import Policy


def find_missing_tables(policy: Policy, schema: Schema, alias: str) -> frozenset[str]:
    """Return the tables that nobody ever made in the database *alias*, and nobody misses.

    Those are what Django does not manage and the policy calls unrelated: the search could not
    read it. Where rows of people are to be changed, a missing table stays an error.
    """
    unmanaged = [
        table_rules
        for name, table_rules in policy.tables.items()
        if table_rules.no_personal_data and not schema.models[name]._meta.managed
    ]
    if not unmanaged:
        return frozenset()
    with engine(alias).connect() as bind:
        existing = inspect(bind)
        return frozenset(
            table_rules.name
            for table_rules in unmanaged
            if not existing.has_table(table_rules.table.name, table_rules.table.schema)
        )
