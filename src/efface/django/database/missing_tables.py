"""Models whose tables a database does not have, such as views made for another kind of it."""

from __future__ import annotations

from efface.catalog import Catalog
from efface.catalog.unknown import Unknown
from efface.django.database.django_connection import engine, unseen
from efface.django.schema.models_to_metadata import Schema
from efface.policy.policy import Policy


def absent(policy: Policy, schema: Schema, alias: str) -> frozenset[str]:
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
    with engine(alias).connect() as bind, unseen(bind):
        found = Catalog.of_database(bind, {rules.table.schema for rules in unmanaged})
    if isinstance(found, Unknown):
        return frozenset()
    return frozenset(rules.name for rules in unmanaged if found.find_table(rules.table) is None)
