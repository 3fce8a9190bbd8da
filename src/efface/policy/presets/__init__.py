"""Policies for tables that come with a package: TOML files, in the words of every policy file."""

from __future__ import annotations

from pathlib import Path

from efface.policy.did_you_mean import did_you_mean

FOLDER = Path(__file__).parent


def preset(name: str) -> Path:
    """Return the path of the policy file for the tables of a package, for `Policy.from_file`.

    ``"fastapi-users"`` decides the table of people, ``"fastapi-users-oauth"`` and
    ``"fastapi-users-tokens"`` the tables that an application may have besides.

    Raises:
        ValueError: there is none of this name.
    """
    known = sorted(path.stem for path in FOLDER.glob("*.toml"))
    if name not in known:
        raise ValueError(f"{name} is not a preset.{did_you_mean(name, known, listed=12)}")
    return FOLDER / f"{name}.toml"
