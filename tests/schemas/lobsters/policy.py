"""What we decide: a closed account leaves none of the person, and nobody else loses a word.

Votes, threads and scores stay as they are and point at the tombstone. What the person wrote goes,
in every copy the site keeps. Text that others wrote about them stays, without their name.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.schema import SchemaItem

from efface import (
    Clear,
    Delete,
    Match,
    Placeholder,
    Redact,
    Replace,
    ReplaceMentions,
    data_subject,
    on_leaving,
    personal,
    unrelated,
)
from efface.policy.actions import ColumnAction
from tests.schemas.lobsters.tables import Marks

REMOVED = Replace("[removed]")
UNNAMED = ReplaceMentions("a former member")
# Three references that the database does not declare, and the person's words kept twice.
AUTHOR = Match("author_user_id", equals="users.id")
MODERATED = Match("user_id", equals="users.id")
BANNED_BY = Match("banned_by_user_id", equals="users.id")
COPY = Match("id", equals="stories.id")
ASKED = Match("email", equals="users.email")

CREDENTIALS = ("password_digest", "password_reset_token", "rss_token", "mailing_list_token")
ABOUT = ("about", "settings", "banned_reason", "disabled_invite_reason", "last_login")
STORY = ("url", "description", "markeddown_description", "twitter_id")
PRIVATE = (
    *("hats", "hat_requests", "hidden_stories", "saved_stories", "read_ribbons", "tag_filters"),
    *("suggested_taggings", "suggested_titles"),
)


def each(table: str, action: ColumnAction, *columns: str) -> Marks:
    """Return the same decision for several columns."""
    return {f"{table}.{column}": [personal(action)] for column in columns}


def leaving(words: ColumnAction = REMOVED, texts: ColumnAction | None = None) -> Marks:
    """Return our policy; *words* is how a person's own titles and comments go."""
    texts = texts or Clear()
    return {
        "users": [data_subject(identifiers=["username", "email"], not_personal=_MEMBER)],
        **each("users", Placeholder("former-"), "username", "session_token"),
        **each("users", Placeholder.email(), "email"),
        **each("users", Clear(), *CREDENTIALS, *ABOUT),
        **each("users", Replace(0), "karma"),
        **each("users", Replace(False), "is_admin", "is_moderator"),
        "stories": [on_leaving(Redact(), via="user_id", not_personal=_STORY)],
        **each("stories", words, "title"),
        **each("stories", texts, *STORY),
        "story_texts": [on_leaving(Redact(), via=COPY, not_personal=["created_at"])],
        **each("story_texts", words, "body"),
        "comments": [on_leaving(Redact(), via="user_id", not_personal=_COMMENT)],
        **each("comments", words, "comment", "markeddown_comment"),
        **each("comments", Clear(), "hat_id"),
        "votes": [on_leaving(Redact(), via="user_id", not_personal=_VOTE)],
        "messages": [
            on_leaving(Redact(), via=AUTHOR, not_personal=_MESSAGE),
            on_leaving(Redact(), via="recipient_user_id"),
        ],
        **_of_both("messages", AUTHOR, Clear(), "recipient_user_id", "subject", "body"),
        "messages.hat_id": [personal(Clear(), via=AUTHOR)],
        "messages.deleted_by_author": [personal(Replace(True), via=AUTHOR)],
        "messages.deleted_by_recipient": [personal(Replace(True), via="recipient_user_id")],
        "moderations": [
            on_leaving(Redact(), via="moderator_user_id", not_personal=_MODERATION),
            on_leaving(Redact(), via=MODERATED),
        ],
        **_of_both("moderations", MODERATED, UNNAMED, "moderator_user_id", "action", "reason"),
        "mod_notes": [
            on_leaving(Redact(), via="moderator_user_id", not_personal=["created_at"]),
            on_leaving(Redact(), via="user_id"),
        ],
        **_of_both("mod_notes", "user_id", UNNAMED, "moderator_user_id", "note", "markeddown_note"),
        "domains": [on_leaving(Redact(), via=BANNED_BY, not_personal=_DOMAIN)],
        **each("domains", UNNAMED, "banned_reason"),
        "invitations": [
            on_leaving(Delete(), via="user_id"),
            on_leaving(Redact(), via="new_user_id", not_personal=_INVITATION),
        ],
        "invitations.email": [personal(Clear(), via="new_user_id")],
        "invitations.code": [personal(Clear(), via="new_user_id")],
        "invitations.memo": [personal(UNNAMED, via="new_user_id")],
        "invitation_requests": [on_leaving(Delete(), via=ASKED)],
        **{table: [on_leaving(Delete(), via="user_id")] for table in PRIVATE},
        **{table: [unrelated(because="the site's own lists")] for table in _LISTS},
        # No link reaches a key inside a string. The key is the tombstone's, the value a count.
        "keystores": [unrelated(because="counters by the key of the tombstone")],
    }


def _of_both(
    table: str, whose: str | Match, action: ColumnAction, other: str, *columns: str
) -> Marks:
    """Return for columns of *whose* how they go, and that the *other* person is not named."""
    marks: Sequence[SchemaItem] = [personal(action, via=whose), personal(UNNAMED, via=other)]
    return {f"{table}.{column}": marks for column in columns}


# References that the database does not know about are decided too: they point at the tombstone.
_MEMBER = (
    *("created_at", "pushover_mentions", "mailing_list_mode", "banned_at", "disabled_invite_at"),
)
_STORY = (
    *("created_at", "short_id", "is_expired", "score", "flags", "is_moderated", "hotness"),
    *("comments_count", "unavailable_at", "user_is_author", "user_is_following"),
)
_COMMENT = (
    *("created_at", "updated_at", "short_id", "thread_id", "score", "flags", "confidence"),
    *("is_deleted", "is_moderated", "is_from_email"),
)
_VOTE = ("vote", "reason", "updated_at")
_MESSAGE = ("created_at", "has_been_read", "short_id", "author_user_id")
_MODERATION = ("created_at", "updated_at", "is_from_suggestions", "domain_id", "user_id")
_DOMAIN = ("domain", "is_tracker", "created_at", "updated_at", "banned_at", "banned_by_user_id")
_INVITATION = ("created_at", "updated_at", "used_at")
_LISTS = ("categories", "tags", "taggings")
