"""How one queryset asks to see closed accounts; a block asks in `efface.visibility`."""

from __future__ import annotations

from typing import Any

from efface.visibility import in_block

ASKED = "_efface_include_closed"
"""The attribute of a query that asks; Django's clones of the query have it too."""


def is_asked_for(query: Any) -> bool:
    """Return whether a block is open, or *query* itself asks."""
    return ASKED in query.__dict__ or in_block()


def asking(queryset: Any) -> Any:
    """Return *queryset* so that it finds closed accounts too."""
    found = queryset._chain()
    ask(found.query)
    return found


def ask(query: Any) -> None:
    """Let *query* find closed accounts, and the queries that it unites."""
    setattr(query, ASKED, True)
    united = tuple(each.clone() for each in query.combined_queries)
    for each in united:
        ask(each)
    query.combined_queries = united
