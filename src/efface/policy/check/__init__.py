"""Every column decided, every action possible on its column: all problems at once."""

from __future__ import annotations

from efface.errors import Problem
from efface.policy.check.constraints import Constraints
from efface.policy.check.decisions import decided_once, tombstone, undecided, unknown_names
from efface.policy.check.links import unindexed_links, unlinked_references
from efface.policy.check.lost import lost_paths
from efface.policy.check.possible import impossible_actions, retentions
from efface.policy.columns import is_json, is_text
from efface.policy.rules import Policy, subject_problems

__all__ = ["check", "is_json", "is_text"]


def check(policy: Policy) -> tuple[Problem, ...]:
    """Return everything that keeps *policy* from being carried out, and what is worth a warning.

    Without problems of the level ``"error"`` it is ready. Links are followed by `efface.graph`,
    which reports those that lead nowhere.
    """
    problems = list(subject_problems(policy))
    if not problems:
        problems += tombstone(policy)
        problems += lost_paths(policy)
        problems += unlinked_references(policy)
    with Constraints() as constraints:
        for rule in policy.tables.values():
            problems += undecided(policy, rule)
            problems += unknown_names(rule)
            problems += decided_once(rule)
            problems += impossible_actions(rule)
            problems += constraints.refusals(rule)
            problems += retentions(rule)
            problems += unindexed_links(policy, rule)
    # A table that came into the metadata later is as undecided as a forgotten one.
    for name in sorted(set(policy.metadata.tables) - set(policy.tables)):
        text = "This table was added after the policy had read the models."
        paste = "import every model before: policy = Policy.from_metadata(Base.metadata)"
        problems.append(Problem("E101", name, None, text, paste))
    return tuple(problems)
