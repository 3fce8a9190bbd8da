"""Three members who did everything the site offers, each with a marker in every text of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import count, permutations, product
from typing import Any

from sqlalchemy import Boolean, Connection, DateTime, Float, MetaData, String, insert

PEOPLE = (1, 2, 3)
STORIES = (1, 2, 3, 4, 5, 6)
PRIVATE = ("hidden_stories", "saved_stories", "read_ribbons")
ONE_EACH = (
    *("suggested_taggings", "suggested_titles", "tag_filters", "hat_requests", "invitations"),
)
_THEN = datetime(2019, 5, 6, 7, 8, 9)  # noqa: DTZ001 - these tables keep no time zone


def marker(person: int) -> str:
    """Return what only this person's texts hold, and what they are called."""
    return f"CANARY-U{person}"


def email(person: int) -> str:
    """Return the person's address."""
    return f"{marker(person)}@example.org"


def move_in(connection: Connection, metadata: MetaData) -> None:
    """Insert the three and all that they did."""
    keys = {name: count(1) for name in metadata.tables}
    for name, person, values in _rows():
        table = metadata.tables[name]
        row = {column.name: _filler(column, person) for column in table.columns}
        row |= {"id": next(keys[name])} | values
        connection.execute(insert(table), [row])


def _rows() -> Iterator[tuple[str, int, dict[str, Any]]]:
    for p in PEOPLE:
        yield "users", p, {"username": marker(p), "email": email(p), "deleted_at": None}
    yield "tags", 0, {}
    for story in STORIES:
        yield "stories", 1 + story % 3, {"user_id": 1 + story % 3, "short_id": f"s{story}"}
        yield "taggings", 0, {"story_id": story, "tag_id": 1}
    for p, story in product(PEOPLE, STORIES):
        mine = {"user_id": p, "story_id": story}
        yield "comments", p, mine | {"short_id": f"c{p}{story}"}
        yield "votes", p, mine
    for p in PEOPLE:
        for table, story in product(PRIVATE, STORIES[:3]):
            yield table, p, {"user_id": p, "story_id": story}
        for table in ONE_EACH:
            yield table, p, {"user_id": p, "story_id": 1, "tag_id": 1}
        yield "invitation_requests", p, {"email": email(p)}
    for giver, taker in permutations(PEOPLE, 2):
        about = {"moderator_user_id": giver, "user_id": taker}
        yield "hats", taker, {"granted_by_user_id": giver, "user_id": taker}
        yield "moderations", giver, about
        yield "mod_notes", giver, about
        letter = {"author_user_id": giver, "recipient_user_id": taker}
        yield "messages", giver, letter | {"short_id": f"m{giver}{taker}"}


def _filler(column: Any, person: int) -> Any:
    if column.foreign_keys or (column.name.endswith("_id") and column.name != "twitter_id"):
        return None
    if isinstance(column.type, String):
        room = column.type.length or 200
        text = f"{marker(person)} {column.name}" if person else column.name
        # One letter holds no marker.
        return text[:room] if room > len(marker(person)) else None
    if isinstance(column.type, DateTime):
        return _THEN
    if isinstance(column.type, Boolean):
        return False
    return 0.0 if isinstance(column.type, Float) else 0
