"""Find the policy files for tables that come with a package."""

from __future__ import annotations

from pathlib import Path

from efface.errors import RuleArgumentError
from efface.policy.did_you_mean import did_you_mean

FOLDER = Path(__file__).parent


def preset(name: str) -> Path:
    """Return the path of the policy file for a package's tables, for `Policy.from_file`.

    ``"fastapi-users"`` has the rules for the users' table, ``"fastapi-users-oauth"`` and
    ``"fastapi-users-tokens"`` for the optional tables of OAuth accounts and access tokens.

    Raises:
        ValueError: there is no preset with this name.
    """
    known = sorted(path.stem for path in FOLDER.glob("*.toml"))
    if name not in known:
        raise RuleArgumentError(f"{name} is not a preset.{did_you_mean(name, known, listed=12)}")
    return FOLDER / f"{name}.toml"
