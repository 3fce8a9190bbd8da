"""What others have published for this site: 20 tables, and what goes when an account does.

The tables and the removal are those of Edna's benchmark (SOSP 2023), retold in our words. There a
row that stays is given to a made-up person each; here it stays with the tombstone.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import MetaData

from efface import (
    Clear,
    Delete,
    MatchBy,
    Placeholder,
    Redact,
    Replace,
    ReplaceMentions,
    data_subject,
    no_personal_data,
    not_personal,
    on_close,
    personal,
)
from efface.policy.actions import ColumnAction
from tests.support.schemas.lobsters.tables import Marks, build

TABLES = """
users
    id key, username? text50 unique, karma int, last_login time, password_reset_token? text250,
    rss_token? text250, session_token? text250, email? text250, created_at? time,
    deleted_at? moment
tags
    id key, tag text25 unique, description? text100, privileged? flag, is_media? flag,
    inactive? flag, hotness_mod? real
stories
    id key, created_at? time, user_id? big -> users index, url? text250, title text150,
    description? text, short_id text30 unique, is_expired flag, upvotes int, downvotes int,
    is_moderated flag, hotness real, markeddown_description? text, story_cache? text,
    comments_count int, merged_story_id? int ~> stories, unavailable_at? time, twitter_id? text20,
    user_is_author? flag
comments
    id key, created_at time, updated_at? time, short_id text30 unique, story_id int -> stories,
    user_id big -> users index, parent_comment_id? int ~> comments, thread_id? int, comment text,
    upvotes int, downvotes int, confidence real, markeddown_comment? text, is_deleted? flag,
    is_moderated? flag, is_from_email? flag, hat_id? int ~> hats
votes
    id key, user_id big -> users index, story_id int -> stories, comment_id? int -> comments,
    vote small, reason? text1
messages
    id key, created_at? time, author_user_id? big -> users index,
    recipient_user_id? big -> users index, has_been_read? flag, subject? text100, body? text,
    short_id? text30 unique, deleted_by_author? flag, deleted_by_recipient? flag
moderations
    id key, created_at time, updated_at time, moderator_user_id? big -> users index,
    story_id? int -> stories, comment_id? int -> comments, user_id? big -> users index,
    action? text, reason? text, is_from_suggestions? flag
mod_notes
    id key, created_at time, updated_at time, moderator_user_id? big -> users index,
    story_id? int -> stories, comment_id? int -> comments, user_id? big -> users index,
    action? text, reason? text, is_from_suggestions? flag
hats
    id key, created_at? time, updated_at? time, user_id? big -> users index,
    granted_by_user_id? big -> users index, hat text255, link? text255, modlog_use? flag,
    doffed_at? time
hat_requests
    id key, created_at? time, updated_at? time, user_id? big -> users index, hat? text255,
    link? text255, comment? text
hidden_stories
    id key, user_id? big -> users index, story_id? int ~> stories
saved_stories
    id key, created_at time, updated_at time, user_id? big -> users index,
    story_id? int ~> stories
read_ribbons
    id key, is_following? flag, created_at time, updated_at time, user_id? big -> users index,
    story_id? big ~> stories
tag_filters
    id key, created_at time, updated_at time, user_id? big -> users index, tag_id? int ~> tags
suggested_taggings
    id key, story_id? int -> stories, tag_id? int ~> tags, user_id? big -> users index
suggested_titles
    id key, story_id? int ~> stories, user_id? big -> users index, title text150
taggings
    id key, story_id int ~> stories, tag_id int ~> tags
invitations
    id key, user_id? big -> users index, email? text255, code? text255, created_at time,
    updated_at time, memo? text
invitation_requests
    id key, code? text255, is_verified? flag, email? text255 index, name? text255, memo? text,
    ip_address? text255, created_at time, updated_at time
keystores
    key text50 main, value? big
"""

REMOVED = (
    *("hat_requests", "hidden_stories", "saved_stories", "read_ribbons", "tag_filters"),
    *("invitations", "suggested_taggings", "suggested_titles"),
)
OVERWRITTEN = {"stories": ("title", "url"), "comments": ("comment", "markeddown_comment")}
# Two people share a row of these tables: whose column it is, and what nobody overwrites.
SHARED = {
    "messages": ("author_user_id", "recipient_user_id"),
    "moderations": ("moderator_user_id", "user_id"),
    "mod_notes": ("moderator_user_id", "user_id"),
    "hats": ("granted_by_user_id", "user_id"),
}
# Nothing was published about these.
SILENT = ("invitation_requests", "keystores", "taggings", "tags")

GONE = Placeholder("gone-")
UNNAMED = ReplaceMentions("a former member")


def removal() -> MetaData:
    """Return the tables under the account removal as it was published."""
    return build(TABLES, _published())


def repaired() -> MetaData:
    """Return the tables under the same policy, with the gaps closed that a search shows."""
    marks = dict(_published())
    marks["hats"] = [on_close(Delete(), via="user_id")]
    marks["hats.granted_by_user_id"] = [not_personal()]
    marks["invitation_requests"] = [
        on_close(Delete(), via=MatchBy("email", equals="users.email", shared=True))
    ]
    return build(TABLES, _with_the_rest_kept({**marks, **_also_gone()}))


def _published() -> Marks:
    marks = {
        "users": [data_subject(identifiers=["username", "email"])],
        **_each("users", GONE, "username"),
        **_each("users", Placeholder.email(), "email"),
        **_each("users", Clear(), "password_reset_token", "rss_token", "session_token"),
        **_each("users", Replace(0), "karma"),
        "votes": [on_close(Redact(), via="user_id")],
        **{table: [on_close(Delete(), via="user_id")] for table in REMOVED},
        **{table: [no_personal_data(reason="nothing was published")] for table in SILENT},
    }
    for table, columns in OVERWRITTEN.items():
        marks[table] = [on_close(Redact(), via="user_id")]
        marks |= _each(table, GONE, *columns)
    for table, people in SHARED.items():
        marks[table] = [on_close(Redact(), via=person) for person in people]
    return _with_the_rest_kept(marks)


def _also_gone() -> Marks:
    story = ("description", "markeddown_description", "story_cache", "twitter_id")
    marks = dict(_each("stories", Clear(), *story))
    for column in ("subject", "body"):
        marks[f"messages.{column}"] = [
            personal(Clear(), via="author_user_id"),
            personal(UNNAMED, via="recipient_user_id"),
        ]
    for table in ("moderations", "mod_notes"):
        for column in ("action", "reason"):
            marks[f"{table}.{column}"] = [personal(UNNAMED, via=via) for via in SHARED[table]]
    return marks


def _each(table: str, action: ColumnAction, *columns: str) -> dict[str, Sequence]:
    return {f"{table}.{column}": [personal(action)] for column in columns}


def _with_the_rest_kept(marks: Marks) -> Marks:
    """Return *marks* with `not_personal` where nothing was said: published policies are silent."""
    decided = dict(marks)
    for table in build(TABLES).tables.values():
        for column in table.columns:
            place = f"{table.name}.{column.name}"
            if not (column.primary_key or column.foreign_keys or column.name == "deleted_at"):
                decided.setdefault(place, [not_personal()])
    return decided
