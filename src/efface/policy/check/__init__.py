"""Check that every column has a rule and that every action is possible on its column."""

from __future__ import annotations

from efface.catalog import Catalog
from efface.errors import Problem
from efface.policy.check.against_on_delete import against_on_delete
from efface.policy.check.changed_targets import changed_targets
from efface.policy.check.check_constraints import check_constraints
from efface.policy.check.conflicting_rules import conflicting_rules
from efface.policy.check.constraint_sql import ConstraintEvaluator
from efface.policy.check.dangling_references import dangling_references
from efface.policy.check.deleted_at_column import deleted_at_problems
from efface.policy.check.deleted_targets import declared_targets
from efface.policy.check.impossible_actions import (
    impossible_actions,
    reason_problems,
    retain_problems,
)
from efface.policy.check.missing_rules import missing_rules
from efface.policy.check.unique_keys import colliding_keys
from efface.policy.check.unknown_columns import unknown_columns
from efface.policy.check.unlinked_references import unindexed_relationships, unlinked_references
from efface.policy.column_types import is_json, is_text
from efface.policy.live_tables import LiveTables
from efface.policy.policy import Policy, subject_problems

__all__ = ["check", "is_json", "is_text"]


def check(policy: Policy) -> tuple[Problem, ...]:
    """Return every problem of *policy* that its tables alone show, errors and warnings.

    `efface.graph` follows the relationships to the users' table and reports those that don't
    arrive there. A policy can be carried out if neither reports an error.
    """
    problems = list(subject_problems(policy))
    tables = LiveTables(policy, Catalog.of_models(policy.metadata))
    # Without exactly one users' table, these checks have nothing to start from.
    if not problems:
        problems += deleted_at_problems(policy)
        problems += dangling_references(policy)
        problems += changed_targets(tables)
        named = {problem.place for problem in problems}
        problems += [p for p in unlinked_references(policy) if p.place not in named]
        lost = {problem.table for problem in problems if problem.code == "E203"}
        problems += [each for each in declared_targets(tables) if each.table not in lost]
    with ConstraintEvaluator() as evaluator:
        for table_rules in policy.tables.values():
            problems += missing_rules(policy, table_rules)
            problems += unknown_columns(table_rules)
            problems += conflicting_rules(table_rules)
            problems += impossible_actions(table_rules)
            problems += check_constraints(table_rules, evaluator)
            problems += retain_problems(table_rules)
            problems += reason_problems(table_rules)
            problems += unindexed_relationships(policy, table_rules)
            problems += against_on_delete(table_rules)
        seen = {problem.place for problem in problems}
        problems += [p for p in colliding_keys(tables, evaluator) if p.place not in seen]
    # A model that was imported after the policy was built has no rule, whatever it declares.
    for name in sorted(set(policy.metadata.tables) - set(policy.tables)):
        text = "This table was added after the policy was made. Import every model before:"
        paste = "policy = Policy.from_metadata(Base.metadata)"
        problems.append(Problem("E101", name, None, text, paste))
    return tuple(problems)
