"""The same closings written by hand for this one schema, through psycopg.

As a careful developer would: one transaction that locks the row, checks its state, changes each
table by one statement and records the closing in the same table as Efface's.
"""

import hmac
import json
import re
import secrets
from datetime import UTC, datetime

import psycopg

LOCK = "SELECT username, email, deleted_at FROM users WHERE id = %s FOR UPDATE"
TOKEN = "replace(gen_random_uuid()::text, '-', '')"  # noqa: S105 - makes one
PERSON = f"""UPDATE users SET username = 'former-' || {TOKEN}, session_token = 'former-' || {TOKEN},
    email = 'anonymized-' || {TOKEN} || '@users.invalid', password_digest = NULL,
    password_reset_token = NULL, rss_token = NULL, mailing_list_token = NULL, about = NULL,
    settings = NULL, banned_reason = NULL, disabled_invite_reason = NULL, last_login = NULL,
    karma = 0, is_admin = false, is_moderator = false, deleted_at = %s WHERE id = %s"""
RECORD = """INSERT INTO efface_closings (reference, subject, closed_at, actor, policy, receipt)
    VALUES (%s, %s, %s, %s, %s, %s)"""
PRIVATE = (
    *("hats", "hat_requests", "hidden_stories", "saved_stories", "read_ribbons", "tag_filters"),
    *("suggested_taggings", "suggested_titles", "invitations"),
)
GONE = {
    **{table: f"DELETE FROM {table} WHERE user_id = %(id)s" for table in PRIVATE},
    "invitation_requests": "DELETE FROM invitation_requests WHERE email = %(email)s",
}
COPIES = "id IN (SELECT id FROM stories WHERE user_id = %(id)s)"
RECEIVED = """UPDATE messages SET deleted_by_recipient = true
    WHERE recipient_user_id = %(id)s AND NOT deleted_by_recipient"""
SENT = """UPDATE messages SET subject = NULL, body = NULL, hat_id = NULL, deleted_by_author = true
    WHERE author_user_id = %(id)s"""

# What somebody wrote goes whole.
REPLACED = {
    "story_texts": f"UPDATE story_texts SET body = '[removed]' WHERE {COPIES}",
    "stories": """UPDATE stories SET title = '[removed]', url = NULL, description = NULL,
        markeddown_description = NULL, twitter_id = NULL WHERE user_id = %(id)s""",
    "comments": """UPDATE comments SET comment = '[removed]', markeddown_comment = '[removed]',
        hat_id = NULL WHERE user_id = %(id)s""",
    "messages sent": SENT,
    "messages received": RECEIVED,
    "invitations": """UPDATE invitations SET email = NULL, code = NULL, memo = NULL
        WHERE new_user_id = %(id)s""",
}
# Or it stays, without their name: these besides, and the texts are edited.
UNNAMED = "a former member"
KEPT = {
    "comments": """UPDATE comments SET hat_id = NULL
        WHERE user_id = %(id)s AND hat_id IS NOT NULL""",
    "messages sent": """UPDATE messages SET hat_id = NULL, deleted_by_author = true
        WHERE author_user_id = %(id)s""",
    "messages received": RECEIVED,
    "invitations": "UPDATE invitations SET email = NULL, code = NULL WHERE new_user_id = %(id)s",
}
ID = "%(id)s"
STORY = ("title", "url", "description", "markeddown_description", "twitter_id")
EDITED = {
    "story_texts": (COPIES, ("body",)),
    "stories": ("user_id = %(id)s", STORY),
    "comments": ("user_id = %(id)s", ("comment", "markeddown_comment")),
    "messages": (f"(author_user_id = {ID} OR recipient_user_id = {ID})", ("subject", "body")),
    "moderations": (f"(moderator_user_id = {ID} OR user_id = {ID})", ("action", "reason")),
    "mod_notes": (f"(moderator_user_id = {ID} OR user_id = {ID})", ("note", "markeddown_note")),
    "domains": ("banned_by_user_id = %(id)s", ("banned_reason",)),
    "invitations": ("new_user_id = %(id)s", ("memo",)),
}


def close_account(connection: psycopg.Connection, key: int, *, secret: bytes, edit: bool) -> None:
    """Close the account of the person with this key; *edit* keeps texts, without the name."""
    now = datetime.now(UTC).replace(microsecond=0)
    with connection.transaction(), connection.cursor() as cursor:
        found = cursor.execute(LOCK, (key,)).fetchone()
        if found is None or found[2] is not None:  # unknown, or closed already
            return
        username, email, _ = found
        person = {"id": key, "email": email}
        rows = {}
        if edit:
            for table in EDITED:
                rows[f"{table} edited"] = _edit(cursor, table, person, (email, username))
        for table, statement in (KEPT if edit else REPLACED).items():
            rows[table] = cursor.execute(statement, person).rowcount
        for table, statement in GONE.items():
            rows[f"{table} gone"] = cursor.execute(statement, person).rowcount
        rows["users"] = cursor.execute(PERSON, (now, key)).rowcount
        subject = hmac.digest(secret, f"users {key}".encode(), "sha256").hex()
        record = json.dumps({"closed_at": now.isoformat(), "rows": rows})
        values = (secrets.token_hex(16), subject, now, "benchmark", "by hand", record)
        cursor.execute(RECORD, values)


def _edit(
    cursor: psycopg.Cursor, table: str, person: dict[str, object], names: tuple[str, ...]
) -> int:
    """Edit the rows of one table that name the person, and return how many those are."""
    where, columns = EDITED[table]
    patterns = ["%" + re.sub(r"([\\%_])", r"\\\1", name) + "%" for name in names]
    # Of an expression PostgreSQL keeps no statistics: it would try each pattern on a hundred sample
    # values of each column, and plan for 2 ms what runs in a tenth of one.
    matches = " OR ".join(f"({column} || '') ILIKE ANY (%(patterns)s)" for column in columns)
    query = f"SELECT id, {', '.join(columns)} FROM {table} WHERE {where} AND ({matches}) FOR UPDATE"
    found = cursor.execute(query, {**person, "patterns": patterns}).fetchall()
    if not found:
        return 0
    mention = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)", re.IGNORECASE)
    edited = [
        (*(text and mention.sub(UNNAMED, text) for text in texts), row) for row, *texts in found
    ]
    changes = ", ".join(f"{column} = %s" for column in columns)
    cursor.executemany(f"UPDATE {table} SET {changes} WHERE id = %s", edited)
    return len(edited)
