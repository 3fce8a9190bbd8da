"""Assert that a policy has a rule for every column, and that each action is possible."""

from __future__ import annotations

from sqlalchemy import MetaData

from efface.errors import PolicyError, raise_problems
from efface.graph.graph import build
from efface.policy.check import check
from efface.policy.policy import Policy


def assert_policy_complete(policy: Policy | MetaData) -> None:
    """Assert that every column has a rule and that every rule can be carried out.

    Warnings fail, too. It needs no database.

    Args:
        policy: A policy, or metadata with rules.

    Raises:
        AssertionError: the message has everything that ``efface check`` reports, with lines to
            paste into the models.
    """
    policy = policy_of(policy)
    problems = check(policy)
    if not any(problem.code == "E102" for problem in problems):
        problems = (*problems, *build(policy)[1])
    try:
        raise_problems(problems)
    except PolicyError as error:
        raise AssertionError(str(error)) from None


def policy_of(policy: Policy | MetaData) -> Policy:
    """Return *policy*, or the policy that the models in the metadata declare."""
    return Policy.from_metadata(policy) if isinstance(policy, MetaData) else policy
