"""Read the execution option with which one statement includes closed accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from efface.include_closed_block import in_block

OPTION = "include_closed"
"""The name of the execution option, for one statement or for a session."""


def is_requested(options: Mapping[str, Any]) -> bool:
    """Return whether an `include_closed` block is open, or *options* include closed accounts."""
    return in_block() or bool(options.get(OPTION))
