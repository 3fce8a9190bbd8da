"""Find tables that a database lacks, such as views that only another database has."""

from __future__ import annotations

from efface.catalog import Catalog
from efface.catalog.unknown import Unknown
from efface.django.database.django_connection import get_engine, hide_queries
from efface.django.schema.models_to_metadata import Schema
from efface.policy.policy import Policy


def find_missing_tables(policy: Policy, schema: Schema, alias: str) -> frozenset[str]:
    """Return the unmanaged tables without personal data that the database *alias* lacks.

    The search of the database cannot read them. A missing table with personal data stays an error.
    """
    unmanaged = [
        table_rules
        for name, table_rules in policy.tables.items()
        if table_rules.no_personal_data and not schema.models[name]._meta.managed
    ]
    if not unmanaged:
        return frozenset()
    with get_engine(alias).connect() as bind, hide_queries(bind):
        found = Catalog.of_database(bind, {rules.table.schema for rules in unmanaged})
    if isinstance(found, Unknown):
        return frozenset()
    return frozenset(rules.name for rules in unmanaged if found.find_table(rules.table) is None)
