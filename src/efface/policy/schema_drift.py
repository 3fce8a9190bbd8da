"""Compare the models with the live database, as far as the policy depends on it.

The live tables get the same rules and the same checks as the models. An action that is possible
on the model and impossible in the database is reported as a problem of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, inspect
from sqlalchemy.exc import SAWarning

from efface.catalog import Catalog
from efface.catalog.difference import Difference, Side, What, difference
from efface.catalog.metadata import VIEW
from efface.catalog.narrowed import narrowed
from efface.catalog.relation import Column, ForeignKey, Relation
from efface.catalog.unknown import Unknown
from efface.errors import Problem
from efface.policy.check import check
from efface.policy.check.changed_targets import changed_targets
from efface.policy.check.constraint_sql import ConstraintEvaluator
from efface.policy.check.deleted_targets import deleted_targets
from efface.policy.check.unique_keys import colliding_keys
from efface.policy.check.unreachable_rows import unreachable_rows
from efface.policy.live_tables import LiveTables
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
            metadata.reflect(bind, schema=schema, resolve_fks=False)
            tables = set(metadata.tables)
            metadata.reflect(bind, schema=schema, views=True, resolve_fks=False)
            for name in metadata.tables.keys() - tables:
                metadata.tables[name].info[VIEW] = True
    others = TOOL_TABLES.union(exclude) & metadata.tables.keys()
    with bind.connect() if isinstance(bind, Engine) else nullcontext(bind) as connection:
        live = Catalog.of_database(connection, set(schemas))
    if not isinstance(live, Unknown):
        # A partition has the rules of its table, and what an extension has is not for you to rule.
        for name, table in metadata.tables.items():
            found = live.find_table(table)
            if found is not None and (found.is_partition or found.extension is not None):
                others |= {name}
    for name in others:
        metadata.remove(metadata.tables[name])
    _let_go(metadata)
    return metadata


def _let_go(metadata: MetaData) -> None:
    """Take away the foreign keys to tables that *metadata* does not have."""
    for table in metadata.tables.values():
        for key in list(table.foreign_key_constraints):
            targets = {each.target_fullname.rpartition(".")[0] for each in key.elements}
            if targets <= metadata.tables.keys():
                continue
            table.constraints.remove(key)
            for each in key.elements:
                each.parent.foreign_keys.discard(each)
                table.foreign_keys.discard(each)


def application_schemas(bind: Engine | Connection) -> tuple[str | None, ...]:
    """Return the schemas of a database that can have tables of the application.

    None is the default schema of the connection.
    """
    if bind.dialect.name != "postgresql":
        return (None,)
    inspector = inspect(bind)
    default = inspector.default_schema_name
    names = (each for each in inspector.get_schema_names() if not each.startswith("pg_"))
    return (None, *(each for each in names if each not in (default, "information_schema")))


def schemas_of(policy: Policy) -> set[str | None]:
    """Return the schemas that the tables of *policy* are in."""
    return {table.schema for table in policy.metadata.tables.values()}


def compare(
    policy: Policy,
    bind: Engine | Connection,
    *,
    own: Collection[str] = (),
    others: bool = True,
) -> tuple[Problem, ...]:
    """Return the differences between the live schema and the models that matter to *policy*.

    Args:
        policy: The rules and the models.
        bind: The database.
        own: Tables that Efface owns: they need no rule.
        others: Whether each table needs a model, also if it does not refer to rows of users.
    """
    with bind.connect() if isinstance(bind, Engine) else nullcontext(bind) as connection:
        live = Catalog.of_database(connection, schemas_of(policy))
    if isinstance(live, Unknown):
        text = (
            "This role may not read the catalog of the database, so Efface can't compare it with "
            "the models. Run this command with a role that may."
        )
        return (Problem("W104", "(database)", None, text, level="warning"),)
    tables, known = LiveTables(policy, live), check(policy)
    lost = {problem.place for problem in known if problem.code == "E203"}
    found = [r.problem() for r in deleted_targets(tables) if not r.is_harmless]
    problems = [problem for problem in found if not lost & {problem.table, problem.place}]
    differing, seen = list(_differing(tables)), {problem.place for problem in (*known, *problems)}
    problems += [p for p in changed_targets(tables) if p.place not in seen]
    problems = _worst([*unreachable_rows(tables, own), *differing, *problems])
    named = {problem.table for problem in problems if problem.code != "E108"}
    without_model = {problem.table: problem for problem in _unknown(tables)}
    if others:
        without_model |= {problem.table: problem for problem in _extra_tables(tables, own)}
    problems += [problem for name, problem in without_model.items() if name not in named]
    if live.find_table(policy.subject_table) is not None:
        seen = {problem.place for problem in problems} | named
        problems += [p for p in _impossible(tables, known) if p.place not in seen]
    return tuple(problems)


def _worst(problems: Iterable[Problem]) -> list[Problem]:
    """Return one problem of each place: the first error, or the first warning."""
    found: dict[str, Problem] = {}
    for problem in sorted(problems, key=lambda each: each.level):
        found.setdefault(problem.place, problem)
    return list(found.values())


def uncovered(policy: Policy, live: Catalog, *, own: Collection[str] = ()) -> tuple[Problem, ...]:
    """Return what *live* has, no rule covers, and a closure would leave behind or destroy.

    Tables that no model has are left out, if they do not refer to rows of users.
    """
    tables = LiveTables(policy, live)
    unknown = {problem.table: problem for problem in _unknown(tables)}
    problems = [*unreachable_rows(tables, own), *unknown.values()]
    for reference in deleted_targets(tables):
        is_new = not (reference.is_declared and reference.refuses)
        if reference.is_enforced and is_new and not reference.is_accepted:
            problem = reference.problem()
            problems += [problem] if problem.table not in unknown else []
    for each in difference(Catalog.of_models(policy), live):
        if each.what is What.COLUMN_EXTRA:
            problems.append(_extra_column(tables, each))
        elif each.what is What.TARGET:
            problems.append(_other_target(each))
    return tuple(problem for problem in problems if problem.level == "error")


def _unknown(tables: LiveTables) -> Iterator[Problem]:
    """Yield each table that refers to rows of users, and that no model has."""
    for target, rules in tables.with_rules():
        for relation, key in tables.live.references_to(target):
            is_other = relation.extension is None and not tables.is_inherited(relation, key)
            if is_other and tables.rules(relation) is None:
                text = (
                    f"No model has this table, and {', '.join(key.columns)} refers to "
                    f"{rules.name}. Add it to the models with a rule, or drop it."
                )
                yield Problem("E108", str(relation), None, text)


# ---------------------------------------------------------------- what only one side has


def _extra_tables(tables: LiveTables, own: Collection[str]) -> Iterator[Problem]:
    schemas, known = schemas_of(tables.policy), TOOL_TABLES.union(own)
    for each in difference(Catalog.of_models(tables.policy), tables.live):
        name, there = str(each.relation), each.database
        if each.what is not What.RELATION_EXTRA or not isinstance(there, Relation) or name in known:
            continue
        if there.is_table and there.name.schema in schemas:
            text = "This table is in the database, but no model has it. Add it, and give it a rule:"
            paste = f'Table("{there.name.name}", metadata, autoload_with=engine)'
            yield Problem("E108", name, None, text, paste)


def _differing(tables: LiveTables) -> Iterator[Problem]:
    """Yield a problem for each column and foreign key that only one side has."""
    for each in difference(Catalog.of_models(tables.policy), tables.live):
        name = str(each.relation)
        if each.what is What.RELATION_MISSING:
            text = "This table is not in the database, but a model has it. Run the migrations."
            yield Problem("E108", name, None, text)
        elif each.what is What.COLUMN_MISSING:
            yield _missing_column(tables.policy, each)
        elif each.what is What.COLUMN_EXTRA:
            yield _extra_column(tables, each)
        elif each.what in (What.TARGET, What.FOREIGN_KEY):
            yield _other_target(each)


def _other_target(found: Difference) -> Problem:
    text = f"In the database, {', '.join(found.columns)} refers to {_target(found.database)}"
    text += f". In the model, it refers to {_target(found.models)}."
    # If both have a target, Efface would change rows of the wrong table.
    level: Any = "error" if found.what is What.TARGET else "warning"
    return Problem("E108", str(found.relation), found.columns[0], text, level=level)


def _target(key: Side) -> str:
    if not isinstance(key, ForeignKey):
        return "nothing"
    return ", ".join(f"{key.target}.{name}" for name in key.target_columns)


def _missing_column(policy: Policy, found: Difference) -> Problem:
    (missing,), rules, paste = found.columns, policy.tables[str(found.relation)], ""
    if rules.subjects and missing == rules.subjects[0].deleted_at:
        line = f'op.add_deleted_at("{rules.table.name}")'
        paste = f"{line}    # after: import efface.alembic"
    text = f"{missing} is not in the database, but the model has it. Run the migrations."
    return Problem("E108", rules.name, missing, text, paste)


def _extra_column(tables: LiveTables, found: Difference) -> Problem:
    (name,) = found.columns
    there = tables.live.find(found.relation.name, found.relation.schema)
    rules = tables.rules(there) if there is not None else None
    # Deleting a row deletes a column that the model does not have, too.
    is_harmless = there is None or rules is None or not rules.keeps_rows or not there.is_table
    if there is not None and isinstance(found.database, Column):
        # References need no rule, and a computed column follows the others.
        is_harmless |= any(name in key.columns for key in there.foreign_keys)
        is_harmless |= found.database.generated is not None
    text = f"{name} is in the database, but not in the model, so it has no rule. Add it there."
    level: Any = "warning" if is_harmless else "error"
    return Problem("E108", str(found.relation), name, text, level=level)


# ---------------------------------------------------------------- what only a model can take


def _impossible(tables: LiveTables, known: Iterable[Problem]) -> Iterator[Problem]:
    reported = {(problem.code, problem.place) for problem in known}
    policy = tables.policy.with_metadata(narrowed(tables.policy.metadata, tables.live))
    with ConstraintEvaluator() as evaluator:
        # Keys with expressions or NULLS NOT DISTINCT are not among the narrowed tables.
        found = [*check(policy), *colliding_keys(tables, evaluator)]
    for problem in found:
        if (problem.code, problem.place) not in reported:
            reported.add((problem.code, problem.place))
            yield replace(problem, text=f"The database differs from the model: {problem.text}")
