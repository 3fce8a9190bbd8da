"""How one statement asks to see closed accounts; a block asks in `efface.include_closed_block`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from efface.include_closed_block import in_block

OPTION = "include_closed"
"""The execution option of one statement, or of a whole session."""


def is_asked_for(options: Mapping[str, Any]) -> bool:
    """Return whether a block is open, or a statement's execution *options* ask."""
    return in_block() or bool(options.get(OPTION))
