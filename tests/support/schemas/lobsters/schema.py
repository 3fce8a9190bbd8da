"""The 23 tables of the site, with the references that its database declares and those it does not.

Full-text indexes are left out. The tombstone knows its time zone, as Efface asks; upstream it does
not.
"""

from __future__ import annotations

from sqlalchemy import Index, MetaData

from tests.support.schemas.lobsters.tables import Marks, build

TABLES = """
users
    id key, username? text50 unique, email? text100 unique, password_digest? text75,
    created_at? time, is_admin? flag, password_reset_token? text75 unique,
    session_token text75 unique, about? text, invited_by_user_id? big -> users index,
    is_moderator? flag, pushover_mentions? flag, rss_token? text75 unique,
    mailing_list_token? text75 unique, mailing_list_mode? int, karma int, banned_at? time,
    banned_by_user_id? big -> users index, banned_reason? text200, deleted_at? moment,
    last_login? time, disabled_invite_at? time, disabled_invite_by_user_id? big -> users index,
    disabled_invite_reason? text200, settings? text, index mailing_list_mode
categories
    id key, category? text255 unique, created_at time, updated_at time
domains
    id key, domain? text255, is_tracker flag, created_at time, updated_at time, banned_at? time,
    banned_by_user_id? int ~> users, banned_reason? text200
tags
    id key, tag text25 unique, description? text100, privileged flag, is_media flag, active flag,
    hotness_mod? real, permit_by_new_users flag, category_id big ~> categories index
hats
    id key, created_at? time, updated_at? time, user_id big -> users index,
    granted_by_user_id big -> users index, hat text255, link? text255, modlog_use? flag,
    doffed_at? time
hat_requests
    id key, created_at? time, updated_at? time, user_id big -> users index, hat text255,
    link text255, comment text
stories
    id key, created_at? time index, user_id big -> users index, url? text250 index,
    title text150 index, description? text, short_id text6 unique, is_expired flag,
    score int index, flags int, is_moderated flag, hotness real index, markeddown_description? text,
    comments_count int, merged_story_id? big -> stories index, unavailable_at? time,
    twitter_id? text20 index, user_is_author? flag, user_is_following flag,
    domain_id? big -> domains index, index id+is_expired
story_texts
    id key ~> stories, body text, created_at time
comments
    id key, created_at time, updated_at? time, short_id text10 unique, story_id big -> stories,
    user_id big -> users index, parent_comment_id? big -> comments index, thread_id? big index,
    comment text, score int index, flags int, confidence real index, markeddown_comment? text,
    is_deleted? flag, is_moderated? flag, is_from_email? flag, hat_id? big -> hats index,
    index story_id+short_id
votes
    id key, user_id big -> users, story_id big -> stories index,
    comment_id? big -> comments index, vote small, reason? text1, updated_at time,
    index user_id+comment_id, index user_id+story_id
messages
    id key, created_at? time, author_user_id big ~> users, recipient_user_id big -> users index,
    has_been_read? flag, subject? text100, body? text, short_id? text30 unique,
    deleted_by_author? flag, deleted_by_recipient? flag, hat_id? big -> hats index
moderations
    id key, created_at time index, updated_at time, moderator_user_id? big -> users index,
    story_id? big -> stories index, comment_id? big -> comments index, user_id? big ~> users index,
    action? text, reason? text, is_from_suggestions? flag, tag_id? big -> tags index,
    domain_id? int ~> domains index
mod_notes
    id key, moderator_user_id big -> users index, user_id big -> users index, note text,
    markeddown_note text, created_at time, index id+user_id
hidden_stories
    id key, user_id big -> users, story_id big -> stories index, unique user_id+story_id
saved_stories
    id key, created_at time, updated_at time, user_id big -> users, story_id big -> stories index,
    unique user_id+story_id
read_ribbons
    id key, is_following? flag, created_at time, updated_at time, user_id big -> users index,
    story_id big -> stories index
taggings
    id key, story_id big -> stories, tag_id big -> tags index, unique story_id+tag_id
tag_filters
    id key, created_at time, updated_at time, user_id big -> users, tag_id big -> tags index,
    index user_id+tag_id
suggested_taggings
    id key, story_id big -> stories index, tag_id big -> tags index, user_id big -> users index
suggested_titles
    id key, story_id big -> stories index, user_id big -> users index, title text150
invitations
    id key, user_id big -> users index, email? text255, code? text255, created_at time,
    updated_at time, memo? text, used_at? time, new_user_id? big -> users index
invitation_requests
    id key, code? text255, is_verified? flag, email text255, name text255, memo? text,
    ip_address? text255, created_at time, updated_at time
keystores
    key text50 main, value? big
"""

# Links of our policy that upstream has no index for: without, a closing reads the whole table.
INDEXES = ("messages.author_user_id", "domains.banned_by_user_id", "invitation_requests.email")


def lobsters(marks: Marks | None = None) -> MetaData:
    """Return the site's tables under a policy, with an index for each of its links."""
    metadata = build(TABLES, marks)
    for place in INDEXES:
        table, column = place.split(".")
        Index(f"ix_{table}_{column}", metadata.tables[table].c[column])
    return metadata
