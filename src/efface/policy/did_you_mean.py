"""Suggest the known name that is nearest to a misspelled one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str], *, listed: int = 0) -> str:
    """Return `` Did you mean …?`` with the nearest of *known*, in any case, or nothing.

    Args:
        name: The misspelled name.
        known: The names to choose from.
        listed: If no name is near, list the known names unless there are more than this.
    """
    names = {each.casefold(): each for each in known}
    near = get_close_matches(name.casefold(), names, n=1)
    if near:
        return f" Did you mean {names[near[0]]}?"
    return f" Known are: {', '.join(names.values())}." if 0 < len(names) <= listed else ""
