"""Compare the models with the live database, as far as the policy depends on it.

The live tables get the same rules and the same checks as the models. An action that is possible
on the model and impossible in the database is reported as a problem of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Engine,
    ForeignKeyConstraint,
    Index,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    inspect,
)
from sqlalchemy.exc import SAWarning
from sqlalchemy.types import TypeEngine

from efface.errors import Problem
from efface.policy.check import check
from efface.policy.check.missing_rules import needs_no_rule
from efface.policy.policy import Policy

TOOL_TABLES = frozenset({"alembic_version"})
"""Tables of migration tools; they have no personal data."""


def reflect(
    bind: Engine | Connection,
    schemas: Collection[str | None] = (None,),
    *,
    exclude: Collection[str] = (),
) -> MetaData:
    """Return the schema of the live database, as far as SQLAlchemy can reflect it.

    Args:
        bind: The database.
        schemas: The schemas to reflect; None is the connection's default schema.
        exclude: Tables that are not the application's.
    """
    metadata = MetaData()
    with warnings.catch_warnings():
        # SQLAlchemy warns about types and indexes it does not know; no rule depends on them.
        warnings.simplefilter("ignore", SAWarning)
        for schema in sorted(schemas, key=str):
            # Without resolve_fks=False, it would follow foreign keys into schemas that are not the
            # application's.
            metadata.reflect(bind, schema=schema, views=True, resolve_fks=False)
    for name in TOOL_TABLES.union(exclude) & metadata.tables.keys():
        metadata.remove(metadata.tables[name])
    return metadata


def compare(
    policy: Policy, bind: Engine | Connection, *, own: Collection[str] = ()
) -> tuple[Problem, ...]:
    """Return the differences between the live schema and the models that matter to *policy*.

    Args:
        policy: The rules and the models.
        bind: The database.
        own: Tables that Efface owns: they need no rule.
    """
    schemas = {table.schema for table in policy.metadata.tables.values()}
    live = reflect(bind, schemas, exclude=own)
    inspector = inspect(bind)
    names = {
        name if schema is None else f"{schema}.{name}"
        for schema in schemas
        for name in inspector.get_table_names(schema=schema)
    }
    problems = [*_tables(policy, live, names - TOOL_TABLES - set(own)), *_columns(policy, live)]
    problems += _references(policy, live)
    # If the users' table is missing, every further check would only repeat that.
    if policy.subject_table.fullname in live.tables:
        seen = {problem.place for problem in problems}
        problems += [p for p in _impossible(policy, live) if p.place not in seen]
    return tuple(problems)


def _tables(policy: Policy, live: MetaData, names: set[str]) -> Iterator[Problem]:
    for name in sorted(policy.tables.keys() - live.tables.keys()):
        text = "This table is not in the database, but a model has it. Run the migrations."
        yield Problem("E108", name, None, text)
    for name in sorted(names - policy.tables.keys()):
        text = "This table is in the database, but no model has it. Add it, and give it a rule:"
        paste = f'Table("{live.tables[name].name}", metadata, autoload_with=engine)'
        yield Problem("E108", name, None, text, paste)


def _columns(policy: Policy, live: MetaData) -> Iterator[Problem]:
    for name, table_rules in policy.tables.items():
        if name not in live.tables:
            continue
        here = {column.name for column in table_rules.table.columns}
        there = live.tables[name].c
        for missing in sorted(here - set(there.keys())):
            paste = ""
            if table_rules.subjects and missing == table_rules.subjects[0].deleted_at:
                line = f'op.add_deleted_at("{table_rules.table.name}")'
                paste = f"{line}    # after: import efface.alembic"
            text = f"{missing} is not in the database, but the model has it. Run the migrations."
            yield Problem("E108", name, missing, text, paste)
        for extra in sorted(set(there.keys()) - here):
            text = (
                f"{extra} is in the database, but not in the model, so it has no rule. Add it "
                "there."
            )
            # Deleting a row deletes a column that the model does not have, too.
            harmless = not table_rules.keeps_rows or needs_no_rule(table_rules, there[extra])
            level: Any = "warning" if harmless else "error"
            yield Problem("E108", name, extra, text, level=level)


def _references(policy: Policy, live: MetaData) -> Iterator[Problem]:
    """Yield each foreign key that differs between database and model, or is missing in one."""
    for name, table_rules in policy.tables.items():
        if name not in live.tables:
            continue
        in_model, in_database = _targets(table_rules.table), _targets(live.tables[name])
        for columns in sorted({**in_model, **in_database}):
            here, there = in_model.get(columns, set()), in_database.get(columns, set())
            if here & there or any(column not in table_rules.table.c for column in columns):
                # They agree, or `_columns` has reported the column.
                continue
            text = f"In the database, {', '.join(columns)} refers to {_any(there)}"
            text += f". In the model, it refers to {_any(here)}."
            # If both have a target, Efface would change rows of the wrong table.
            level: Any = "error" if here and there else "warning"
            yield Problem("E108", name, columns[0], text, level=level)


def _targets(table: Table) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    """Return the targets of the foreign keys of *table*, by their columns.

    Targets have no schema, because a database leaves out the connection's default schema.
    """
    found: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for constraint in table.foreign_key_constraints:
        pairs = sorted(
            (element.parent.name, ".".join(element.target_fullname.split(".")[-2:]))
            for element in constraint.elements
        )
        columns, targets = zip(*pairs, strict=True)
        found.setdefault(columns, set()).add(targets)
    return found


def _any(targets: set[tuple[str, ...]]) -> str:
    return " and ".join(sorted(", ".join(each) for each in targets)) or "nothing"


def _impossible(policy: Policy, live: MetaData) -> Iterator[Problem]:
    # `check` reports these about the models already.
    known = {(p.code, p.place) for p in check(policy)}
    for problem in check(policy.with_metadata(_merged(policy, live))):
        if (problem.code, problem.place) not in known:
            yield replace(problem, text=f"The database differs from the model: {problem.text}")


def _merged(policy: Policy, live: MetaData) -> MetaData:
    """Return the models with the database's NULL, lengths, constraints and indexes."""
    merged = MetaData()
    for name, table_rules in policy.tables.items():
        there = live.tables.get(name)
        if there is None:
            continue
        columns = [
            Column(
                each.name,
                _narrowed(each.type, there.c[each.name].type),
                primary_key=each.primary_key,
                nullable=bool(there.c[each.name].nullable) and not each.primary_key,
            )
            for each in table_rules.table.columns
            if each.name in there.c
        ]
        kept = {column.name for column in columns}
        items = [*_constraints(there, kept), *_indexes(there, kept)]
        Table(there.name, merged, *columns, *items, schema=there.schema)
    return merged


def _narrowed(model: TypeEngine[Any], live: TypeEngine[Any]) -> TypeEngine[Any]:
    # The model knows better what a value is, the database how long it may be.
    if type(model).__name__ in ("String", "Text", "VARCHAR") and isinstance(live, String):
        return String(live.length)
    return model


def _constraints(there: Table, kept: set[str]) -> Iterator[Any]:
    for constraint in there.constraints:
        if isinstance(constraint, CheckConstraint):
            yield CheckConstraint(constraint.sqltext)
        elif isinstance(constraint, UniqueConstraint):
            names = [column.name for column in constraint.columns]
            if kept.issuperset(names):
                yield UniqueConstraint(*names)
        elif isinstance(constraint, ForeignKeyConstraint) and kept.issuperset(
            constraint.column_keys
        ):
            targets = [element.target_fullname for element in constraint.elements]
            yield ForeignKeyConstraint(
                constraint.column_keys, targets, ondelete=constraint.ondelete
            )


def _indexes(there: Table, kept: set[str]) -> Iterator[Index]:
    for index in there.indexes:
        names = [column.name for column in index.columns]
        # An index on an expression such as lower(email) does not help to find rows by the column.
        plain = len(names) == len(list(index.expressions))
        if names and plain and kept.issuperset(names):
            options = {
                f"{dialect}_where": given["where"]
                for dialect, given in index.dialect_options.items()
                if given.get("where") is not None
            }
            yield Index(index.name, *names, unique=index.unique, **options)
