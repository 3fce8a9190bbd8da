"""The notice board: how much a page shows of it, and what can be pinned to it."""

POSTS_ON_A_PAGE = 8
LONGEST_TITLE, LONGEST_BODY = 120, 2000


def is_post(title: str, body: str) -> bool:
    """Return whether a post has a short title and a few lines."""
    return 0 < len(title) <= LONGEST_TITLE and 0 < len(body) <= LONGEST_BODY
