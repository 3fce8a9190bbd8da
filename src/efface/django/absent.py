"""Models whose tables a database does not have, such as views made for another kind of it."""

from __future__ import annotations

from sqlalchemy import inspect

from efface.django.bridge import engine
from efface.django.schema import Schema
from efface.policy.rules import Policy


def absent(policy: Policy, schema: Schema, alias: str) -> frozenset[str]:
    """Return the tables that nobody ever made in the database *alias*, and nobody misses.

    Those are what Django does not manage and the policy calls unrelated: the search could not
    read it. Where rows of people are to be changed, a missing table stays an error.
    """
    unmanaged = [
        rule
        for name, rule in policy.tables.items()
        if rule.unrelated and not schema.models[name]._meta.managed
    ]
    if not unmanaged:
        return frozenset()
    with engine(alias).connect() as bind:
        existing = inspect(bind)
        return frozenset(
            rule.name
            for rule in unmanaged
            if not existing.has_table(rule.table.name, rule.table.schema)
        )
