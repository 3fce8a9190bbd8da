"""The nearest known name, for whoever misspelled one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str], *, listed: int = 0) -> str:
    """Return `` Did you mean …?`` with the nearest of *known*, whatever its case.

    Where nothing is near, the names are listed if they are no more than *listed*.
    """
    names = {each.casefold(): each for each in known}
    near = get_close_matches(name.casefold(), names, n=1)
    if near:
        return f" Did you mean {names[near[0]]}?"
    return f" Known are: {', '.join(names.values())}." if 0 < len(names) <= listed else ""
