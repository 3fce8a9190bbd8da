"""Refuse to autogenerate a migration without rules, and write Efface's own operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import (
    AddColumnOp,
    CreateIndexOp,
    CreateTableOp,
    DropIndexOp,
    DropTableOp,
    MigrateOperation,
    MigrationScript,
    ModifyTableOps,
)
from alembic.runtime.migration import MigrationContext
from sqlalchemy import DateTime, MetaData, Table, inspect

from efface.alembic.operations import (
    AddDeletedAt,
    CreateEffaceTables,
    DropDeletedAt,
    DropEffaceTables,
)
from efface.errors import Problem, raise_problems
from efface.graph.graph import build
from efface.policy.check import check
from efface.policy.column_types import by_name, unwrapped
from efface.policy.declarations import RuleItem
from efface.policy.policy import Policy
from efface.store.efface_tables import metadata

Hook = Callable[[MigrationContext, Any, list[MigrationScript]], None]
OURS = frozenset(metadata.tables)


def require_rules(policy: Policy | MetaData) -> Hook:
    """Return the hook with which autogenerate refuses columns without a rule.

    Pass it in ``env.py``. It works for ``alembic revision --autogenerate`` and ``alembic check``.
    It does not check a revision that you write by hand. Autogenerate writes the ``deleted_at``
    column and Efface's tables as `op.add_deleted_at` and `op.create_efface_tables`. It never drops
    them, whether or not your models declare them.

    Args:
        policy: A policy, or metadata whose tables have rules.

    Raises:
        PolicyError: autogenerate raises it before it writes a file. It contains each problem that
            `efface check` reports, with the lines to paste.

    Example:
        context.configure(..., process_revision_directives=require_rules(policy))
    """
    policy = Policy.from_metadata(policy) if isinstance(policy, MetaData) else policy

    def process(context: MigrationContext, _: Any, scripts: list[MigrationScript]) -> None:
        if not _is_autogenerate(context):
            return
        raise_problems(_problems(policy))
        # Autogenerate compares only the application's metadata, which lacks Efface's tables.
        has_ours = inspect(context.connection).has_table(min(OURS))
        for script in scripts:
            # Alembic keeps one list per database, and adds the list of this run at the end.
            upgrade, downgrade = script.upgrade_ops_list[-1], script.downgrade_ops_list[-1]
            upgrade.ops = list(_rewritten(policy, upgrade.ops))
            if not has_ours:
                upgrade.ops.append(CreateEffaceTables())
            # Alembic made the downgrade from the operations before the rewrite.
            downgrade.ops = [each.reverse() for each in reversed(upgrade.ops)]

    return process


def _problems(policy: Policy) -> list[Problem]:
    problems = list(check(policy))
    if not any(problem.code == "E102" for problem in problems):
        problems += build(policy)[1]
    return problems


def _is_autogenerate(context: MigrationContext) -> bool:
    environment = context.environment_context
    revision = environment.context_opts.get("revision_context") if environment else None
    return bool(revision and revision.command_args["autogenerate"])


def _rewritten(policy: Policy, found: Iterable[MigrateOperation]) -> Iterator[MigrateOperation]:
    """Yield the operations that Alembic found, with Efface's operations in their place."""
    people = policy.subject_table
    for each in found:
        if isinstance(each, (CreateTableOp, DropTableOp)) and _is_ours(each):
            continue
        if isinstance(each, ModifyTableOps):
            if _is_ours(each):
                # Create and drop of the table include its indexes. A changed column stays visible,
                # because it means that the table is out of date.
                indexes = (CreateIndexOp, DropIndexOp)
                each.ops = [op for op in each.ops if not isinstance(op, indexes)]
            elif (each.table_name, each.schema) == (people.name, people.schema):
                yield from _deleted_at(policy, each)
            if not each.ops:
                continue
        if isinstance(each, CreateTableOp):
            # Alembic writes a table's info as Python, and rules are not for migrations.
            each.info = {
                key: value for key, value in each.info.items() if not isinstance(key, RuleItem)
            }
        yield each


def _is_ours(operation: CreateTableOp | DropTableOp | ModifyTableOps) -> bool:
    return operation.schema is None and operation.table_name in OURS


def _deleted_at(policy: Policy, changes: ModifyTableOps) -> Iterator[MigrateOperation]:
    """Remove the ``deleted_at`` column and its index from *changes*, and yield the operation."""
    people, name = policy.subject_table, policy.subject.deleted_at
    index, keys = f"ix_{people.name}_open", [column.name for column in people.primary_key]
    declared = [each for each in people.indexes if each.name == index]
    if not declared:
        # Efface's operation created the index, and the model need not declare it.
        changes.ops = [op for op in changes.ops if not _is_index(op, DropIndexOp, index)]
    # `add_deleted_at` makes one kind of column and index. If the models declare another one, keep
    # Alembic's operations.
    fits = len(keys) == 1 and all([c.name for c in each.columns] == keys for each in declared)
    added = [op for op in changes.ops if isinstance(op, AddColumnOp) and op.column.name == name]
    if added and fits and _is_moment(people, name):
        mine = [op for op in changes.ops if _is_index(op, CreateIndexOp, index)]
        changes.ops = [op for op in changes.ops if op not in [*added, *mine]]
        yield AddDeletedAt(people.name, name, keys[0], people.schema)


def _is_index(
    operation: MigrateOperation, kind: type[CreateIndexOp | DropIndexOp], name: str
) -> bool:
    return isinstance(operation, kind) and operation.index_name == name


def _is_moment(table: Table, name: str) -> bool:
    type_ = unwrapped(by_name(table)[name].type)
    return isinstance(type_, DateTime) and bool(type_.timezone)


@renderers.dispatch_for(AddDeletedAt)
@renderers.dispatch_for(DropDeletedAt)
def _render_deleted_at(_: AutogenContext, operation: AddDeletedAt | DropDeletedAt) -> str:
    verb = "add" if isinstance(operation, AddDeletedAt) else "drop"
    said = [repr(operation.table)]
    if operation.column != "deleted_at":
        said.append(repr(operation.column))
    if operation.key != "id":
        said.append(f"key={operation.key!r}")
    if operation.schema is not None:
        said.append(f"schema={operation.schema!r}")
    return f"op.{verb}_deleted_at({', '.join(said)})"


@renderers.dispatch_for(CreateEffaceTables)
def _render_create(_: AutogenContext, _operation: CreateEffaceTables) -> str:
    return "op.create_efface_tables()"


@renderers.dispatch_for(DropEffaceTables)
def _render_drop(_: AutogenContext, _operation: DropEffaceTables) -> str:
    return "op.drop_efface_tables()"
