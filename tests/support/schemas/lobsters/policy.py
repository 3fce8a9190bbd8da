"""What we decide: a closed account leaves none of the person, and nobody else loses a word.

Votes, threads and scores stay as they are and point at the tombstone. What the person wrote goes,
in every copy the site keeps. Text that others wrote about them stays, without their name.
"""

from __future__ import annotations

from collections.abc import Mapping

from efface import (
    Clear,
    Delete,
    MatchBy,
    Placeholder,
    Redact,
    Replace,
    ReplaceMentions,
    Unlink,
    data_subject,
    no_personal_data,
    not_personal,
    on_close,
    personal,
)
from efface.policy.actions import ColumnAction
from efface.policy.relationships import Via
from tests.support.schemas.lobsters.tables import Marks

REMOVED = Replace("[removed]")
CLEAR = Clear()
UNNAMED = ReplaceMentions("a former member")
# Three references that the database does not declare, and the person's words kept twice.
AUTHOR = MatchBy("author_user_id", equals="users.id")
MODERATED = MatchBy("user_id", equals="users.id")
BANNED_BY = MatchBy("banned_by_user_id", equals="users.id")
COPY = MatchBy("id", equals="stories.id")
ASKED = MatchBy("email", equals="users.email")

CREDENTIALS = ("password_digest", "password_reset_token", "rss_token", "mailing_list_token")
ABOUT = ("about", "settings", "banned_reason", "disabled_invite_reason", "last_login")
STORY = ("url", "description", "markeddown_description", "twitter_id")
PRIVATE = (
    *("hats", "hat_requests", "hidden_stories", "saved_stories", "read_ribbons", "tag_filters"),
    *("suggested_taggings", "suggested_titles"),
)


def each(table: str, action: ColumnAction | None, *columns: str, via: Via | None = None) -> Marks:
    """Return the same decision for several columns; no action says that they are not personal."""
    mark = personal(action, via=via) if action else not_personal()
    return {f"{table}.{column}": [mark] for column in columns}


def both(table: str, actions: Mapping[Via, ColumnAction | None], *columns: str) -> Marks:
    """Return decisions for columns that two people have to do with, one for each of them."""
    marks = [personal(action, via=via) for via, action in actions.items() if action]
    return {f"{table}.{column}": marks or [not_personal()] for column in columns}


def leaving(
    words: ColumnAction = REMOVED,
    texts: ColumnAction = CLEAR,
    naming: ColumnAction | None = UNNAMED,
) -> Marks:
    """Return our policy.

    Args:
        words: How a person's own words go where the column has to hold some.
        texts: How they go where it may hold none.
        naming: How the person goes from texts that others wrote; None leaves these as they are.
    """
    return {
        "users": [data_subject(identifiers=["username", "email"], not_personal=_MEMBER)],
        **each("users", Placeholder("former-"), "username", "session_token"),
        **each("users", Placeholder.email(), "email"),
        **each("users", Clear(), *CREDENTIALS, *ABOUT),
        **each("users", Replace(0), "karma"),
        **each("users", Replace(False), "is_admin", "is_moderator"),
        "stories": [on_close(Redact(), via="user_id", not_personal=_STORY)],
        **each("stories", words, "title"),
        **each("stories", texts, *STORY),
        "story_texts": [on_close(Redact(), via=COPY, not_personal=["created_at"])],
        **each("story_texts", words, "body"),
        "comments": [on_close(Redact(), via="user_id", not_personal=_COMMENT)],
        **each("comments", words, "comment", "markeddown_comment"),
        **each("comments", Unlink(), "hat_id"),
        "votes": [on_close(Redact(), via="user_id", not_personal=_VOTE)],
        # A letter of theirs goes; of one that they were sent, only their name.
        "messages": [
            on_close(Redact(), via=AUTHOR, not_personal=_MESSAGE),
            on_close(Redact(), via="recipient_user_id"),
        ],
        **both("messages", {AUTHOR: texts, "recipient_user_id": naming}, "subject", "body"),
        **each("messages", Unlink(), "hat_id", via=AUTHOR),
        **each("messages", Replace(True), "deleted_by_author", via=AUTHOR),
        **each("messages", Replace(True), "deleted_by_recipient", via="recipient_user_id"),
        # The record of moderation stays; it names neither whom it was about nor who did it.
        "moderations": [
            on_close(Redact(), via=MODERATED, not_personal=_MODERATION),
            on_close(Redact(), via="moderator_user_id"),
        ],
        **both("moderations", {MODERATED: naming, "moderator_user_id": naming}, "action", "reason"),
        "mod_notes": [
            on_close(Redact(), via="user_id", not_personal=["created_at"]),
            on_close(Redact(), via="moderator_user_id"),
        ],
        **both(
            "mod_notes", {"user_id": naming, "moderator_user_id": naming}, "note", "markeddown_note"
        ),
        "domains": [on_close(Redact(), via=BANNED_BY, not_personal=_DOMAIN)],
        **each("domains", naming, "banned_reason"),
        "invitations": [
            on_close(Delete(), via="user_id"),
            on_close(Redact(), via="new_user_id", not_personal=_INVITATION),
        ],
        **each("invitations", Clear(), "email", "code", via="new_user_id"),
        **each("invitations", naming or texts, "memo", via="new_user_id"),
        "invitation_requests": [on_close(Delete(), via=ASKED)],
        **{table: [on_close(Delete(), via="user_id")] for table in PRIVATE},
        "hats.granted_by_user_id": [not_personal()],
        **{table: [no_personal_data(reason="the site's own lists")] for table in _LISTS},
        # No link reaches a key inside a string. The key is the tombstone's, the value a count.
        "keystores": [no_personal_data(reason="counters by the key of the tombstone")],
    }


# References to a person that stay, stay with the tombstone.
_MEMBER = (
    *("created_at", "pushover_mentions", "mailing_list_mode", "banned_at", "disabled_invite_at"),
    *("invited_by_user_id", "banned_by_user_id", "disabled_invite_by_user_id"),
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
