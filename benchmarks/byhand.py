"""The same closing written by hand for this one schema, through sqlite3.

As a careful developer would: one transaction, a guarded UPDATE first that takes the lock, checks
the state and reads the row; each table by one statement; only the posts that name the person are
read, and edited in Python; the closing is recorded in the same table as Efface's.
"""

import hmac
import json
import re
import secrets
import sqlite3
from datetime import UTC, datetime

FORMER_MEMBER = "a former member"

LOCK = "UPDATE users SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL RETURNING email, name"
TOKENS = "DELETE FROM users_tokens WHERE user_id = ? RETURNING sent_to"
PLOTS = "UPDATE plots SET holder_id = NULL WHERE holder_id = ?"
POSTS = "UPDATE posts SET title = ?, body = ? WHERE id = ?"
ORDERS = "UPDATE orders SET note = NULL WHERE user_id = ? AND note IS NOT NULL"
INVOICES = (
    "SELECT count(*) FROM invoices WHERE order_id IN (SELECT id FROM orders WHERE user_id = ?)"
)
PERSON = (
    "UPDATE users SET email = 'anonymized-' || lower(hex(randomblob(16))) || '@users.invalid',"
    " name = NULL, hashed_password = NULL, confirmed_at = NULL WHERE id = ?"
)
RECORD = (
    "INSERT INTO efface_closings (reference, subject, closed_at, actor, policy, receipt)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)


def close_account(connection: sqlite3.Connection, key: int, *, secret: bytes, actor: str) -> None:
    """Close the account of the person with this key."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.000000")
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = connection.execute(LOCK, (now, key)).fetchall()
        if not found:  # unknown, or closed already
            connection.execute("ROLLBACK")
            return
        tokens = connection.execute(TOKENS, (key,)).fetchall()
        identifiers = [*found[0], *(row[0] for row in tokens)]
        counts = {
            "users_tokens": len(tokens),
            "plots": connection.execute(PLOTS, (key,)).rowcount,
            "posts": _edit_posts(connection, key, identifiers),
            "orders": connection.execute(ORDERS, (key,)).rowcount,
            "invoices": connection.execute(INVOICES, (key,)).fetchone()[0],
            "users": connection.execute(PERSON, (key,)).rowcount,
        }
        subject = hmac.digest(secret, f"users {key}".encode(), "sha256").hex()
        record = json.dumps({"closed_at": now, "actor": actor, "rows": counts})
        values = (secrets.token_hex(16), subject, now, actor, "by hand", record)
        connection.execute(RECORD, values)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _edit_posts(connection: sqlite3.Connection, key: int, identifiers: list[str | None]) -> int:
    names = sorted({name for name in identifiers if name}, key=len, reverse=True)
    patterns = ["%" + re.sub(r"([\\%_])", r"\\\1", name) + "%" for name in names]
    matches = " OR ".join(["title LIKE ? ESCAPE '\\' OR body LIKE ? ESCAPE '\\'"] * len(names))
    posts = connection.execute(
        f"SELECT id, title, body FROM posts WHERE author_id = ? AND ({matches})",
        (key, *(pattern for pattern in patterns for _ in range(2))),
    ).fetchall()
    words = "|".join(map(re.escape, names))
    mention = re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)
    edited = [
        (mention.sub(FORMER_MEMBER, title), mention.sub(FORMER_MEMBER, body), post)
        for post, title, body in posts
    ]
    connection.executemany(POSTS, edited)
    return len(edited)
