"""Include closed accounts in one queryset, whether or not a block includes them."""

from __future__ import annotations

from typing import Any

from efface.include_closed_block import in_block

REQUESTED = "_efface_include_closed"
"""An attribute of a query, which wins over the block. Django copies it to clones of the query."""


def is_requested(query: Any) -> bool:
    """Return whether *query* includes closed accounts, by its own setting or by an open block."""
    return bool(query.__dict__.get(REQUESTED, in_block()))


def with_closed(queryset: Any) -> Any:
    """Return a copy of *queryset* that includes closed accounts."""
    found = queryset._chain()
    request_closed(found.query)
    return found


def without_closed(queryset: Any) -> Any:
    """Return a copy of *queryset* that skips closed accounts, even in an `include_closed` block."""
    found = queryset._chain()
    setattr(found.query, REQUESTED, False)
    return found


def request_closed(query: Any) -> None:
    """Make *query* and the queries that it combines (UNION) include closed accounts."""
    setattr(query, REQUESTED, True)
    combined = tuple(each.clone() for each in query.combined_queries)
    for each in combined:
        request_closed(each)
    query.combined_queries = combined
