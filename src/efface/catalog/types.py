"""The length that a type's text names."""

from __future__ import annotations

import re

_LENGTH = re.compile(
    r"(?:(?:national |native )?char(?:acter)?(?: ?varying)?|n?varchar2?|nchar|bpchar)\s*\((\d+)\)$",
    re.IGNORECASE,
)


def length_of(base: str) -> int | None:
    """Return how many characters fit into a type such as ``character varying(80)``."""
    found = _LENGTH.match(base.strip())
    return int(found[1]) if found else None
