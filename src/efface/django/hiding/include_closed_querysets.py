"""How one queryset asks to see closed accounts; a block asks in `efface.include_closed_block`."""

from __future__ import annotations

from typing import Any

from efface.include_closed_block import in_block

ASKED = "_efface_include_closed"
"""Whether a query asks, whatever the block says; Django's clones of the query have it too."""


def is_asked_for(query: Any) -> bool:
    """Return whether *query* itself asks; if it does not say, whether a block is open."""
    return bool(query.__dict__.get(ASKED, in_block()))


def asking(queryset: Any) -> Any:
    """Return *queryset* so that it finds closed accounts too."""
    found = queryset._chain()
    ask(found.query)
    return found


def not_asking(queryset: Any) -> Any:
    """Return *queryset* so that it finds open accounts alone, also in a block."""
    found = queryset._chain()
    setattr(found.query, ASKED, False)
    return found


def ask(query: Any) -> None:
    """Let *query* find closed accounts, and the queries that it unites."""
    setattr(query, ASKED, True)
    united = tuple(each.clone() for each in query.combined_queries)
    for each in united:
        ask(each)
    query.combined_queries = united
