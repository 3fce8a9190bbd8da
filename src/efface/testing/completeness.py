"""Whether a policy says something about every column, and something that can be done."""

from __future__ import annotations

from sqlalchemy import MetaData

from efface.errors import PolicyError, raise_problems
from efface.graph.graph import build
from efface.policy.check import check
from efface.policy.policy import Policy


def assert_policy_complete(policy: Policy | MetaData) -> None:
    """Assert that every column is decided, every action possible, and every link leads on.

    Raises:
        AssertionError: with everything `efface check` reports, and the lines to paste.
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
    """Return the policy, read from the markers where only metadata is given."""
    return Policy.from_metadata(policy) if isinstance(policy, MetaData) else policy
