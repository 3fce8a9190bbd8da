"""People with 21 rows in nine tables, on SQLite and PostgreSQL; closed by Efface and by hand.

The hand-written side is set-based SQL of the same effect through the bare driver, with the same
lock, check of the state and record of the closing.
"""

import hmac
import json
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
)
from sqlalchemy.dialects.postgresql import JSONB

from efface import (
    Clear,
    Delete,
    Eraser,
    Placeholder,
    Policy,
    Redact,
    Replace,
    Revoke,
    data_subject,
    not_personal,
    on_close,
    personal,
)

KEY = "a key of the benchmark"
metadata = MetaData()
KEYS = BigInteger().with_variant(Integer, "sqlite")
DOCUMENT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def _key() -> Column[Any]:
    return Column("id", KEYS, primary_key=True)


def _person(name: str = "user_id") -> Column[Any]:
    return Column(name, KEYS, ForeignKey("users.id"), index=True)


users = Table(
    "users",
    metadata,
    _key(),
    Column("email", String(254), personal(Placeholder.email()), unique=True, nullable=False),
    Column("username", String(64), personal(Placeholder()), unique=True, nullable=False),
    Column("name", String(120), personal(Clear())),
    Column("phone", String(32), personal(Clear())),
    Column("password", String(128), personal(Clear())),
    Column("deleted_at", DateTime(timezone=True)),
    data_subject(identifiers=["email", "name"]),
)
TABLES = {
    "sessions": (3, {"token": "a token"}),
    "addresses": (1, {"street": "Main Street 1"}),
    "likes": (1, {"post": 1}),
    "posts": (2, {"title": "a title", "body": "a text"}),
    "comments": (5, {"author_name": "a name", "body": "a text"}),
    "orders": (1, {"total": 100, "ship_name": "a name", "ship_email": "an address"}),
    "events": (5, {"kind": "click", "payload": {"ip": "192.0.2.1"}}),
    "messages": (2, {"body": "a text"}),
}
Table(
    "sessions",
    metadata,
    _key(),
    _person(),
    Column("token", String(64)),
    on_close(Revoke(), "user_id"),
)
Table(
    "addresses",
    metadata,
    _key(),
    _person(),
    Column("street", Text),
    on_close(Delete(), "user_id"),
)
Table("likes", metadata, _key(), _person(), Column("post", KEYS), on_close(Delete(), "user_id"))
Table(
    "posts",
    metadata,
    _key(),
    _person(),
    Column("title", String(200), personal(Replace("")), nullable=False),
    Column("body", Text, not_personal()),
    on_close(Redact(), "user_id"),
)
Table(
    "comments",
    metadata,
    _key(),
    _person(),
    Column("author_name", String(120), personal(Clear())),
    Column("body", Text, not_personal()),
    on_close(Redact(), "user_id"),
)
Table(
    "orders",
    metadata,
    _key(),
    _person(),
    Column("total", Integer, not_personal()),
    Column("ship_name", String(120), personal(Clear())),
    Column("ship_email", String(254), personal(Clear())),
    on_close(Redact(), "user_id"),
)
Table(
    "events",
    metadata,
    _key(),
    _person(),
    Column("kind", String(30), not_personal()),
    Column("payload", DOCUMENT, personal(Clear())),
    on_close(Redact(), "user_id"),
)
Table(
    "messages",
    metadata,
    _key(),
    _person("sender_id"),
    _person("recipient_id"),
    Column("body", Text, personal(Replace(""), via="sender_id")),
    on_close(Redact(), "sender_id"),
    on_close(Redact(), "recipient_id"),
)
policy = Policy.from_metadata(metadata)


def eraser() -> Eraser:
    """Return the eraser of the nine tables."""
    return Eraser(policy, secret=KEY)


def settle_in(connection: Connection, keys: range) -> None:
    """Insert people with 21 rows each."""
    people = [
        {
            "id": key,
            "email": f"person{key}@example.org",
            "username": f"person{key}",
            "name": f"Person Number {key}",
            "phone": "555-1234",
            "password": "a hash",
        }
        for key in keys
    ]
    connection.execute(insert(users), people)
    for name, (rows, values) in TABLES.items():
        people_of = {"sender_id": 0, "recipient_id": 1} if name == "messages" else {"user_id": 0}
        made = [
            {**values, **{column: _other(keys, key, n) for column, n in people_of.items()}}
            for key in keys
            for _ in range(rows)
        ]
        connection.execute(insert(metadata.tables[name]), made)


def _other(keys: range, key: int, steps: int) -> int:
    return keys.start + (key - keys.start + steps) % len(keys)


# ---------------------------------------------------------------- by hand

STATEMENTS = (
    "DELETE FROM sessions WHERE user_id = {0}",
    "UPDATE users SET deleted_at = {1} WHERE id = {0} AND deleted_at IS NULL",
    "DELETE FROM addresses WHERE user_id = {0}",
    "DELETE FROM likes WHERE user_id = {0}",
    "UPDATE posts SET title = '' WHERE user_id = {0} AND title <> ''",
    "UPDATE comments SET author_name = NULL WHERE user_id = {0} AND author_name IS NOT NULL",
    (
        "UPDATE orders SET ship_name = NULL, ship_email = NULL WHERE user_id = {0}"
        " AND (ship_name IS NOT NULL OR ship_email IS NOT NULL)"
    ),
    "UPDATE events SET payload = NULL WHERE user_id = {0} AND payload IS NOT NULL",
    "UPDATE messages SET body = '' WHERE sender_id = {0} AND body <> ''",
    (
        "UPDATE users SET email = 'anonymized-' || {token} || '@users.invalid',"
        " username = 'anonymized-' || {token}, name = NULL, phone = NULL, password = NULL"
        " WHERE id = {0}"
    ),
)
RECORD = (
    "INSERT INTO efface_closings (reference, subject, closed_at, actor, policy, receipt)"
    " VALUES ({0}, {1}, {2}, {3}, {4}, {5})"
)


class ByHand:
    """The closing of one person, written for this schema and one driver."""

    def __init__(self, cursor: Any, dialect: str) -> None:
        """Prepare the statements in the driver's style."""
        self.cursor, self.dialect = cursor, dialect
        self.mark = "?" if dialect == "sqlite" else "%s"
        token = (
            "lower(hex(randomblob(16)))"
            if dialect == "sqlite"
            else "replace(gen_random_uuid()::text, '-', '')"
        )
        self.statements = [
            (text.format(self.mark, self.mark, token=token), text.count("{1}"))
            for text in STATEMENTS
        ]
        self.record = RECORD.format(*[self.mark] * 6)
        lock = "SELECT email, name, deleted_at FROM users WHERE id = {} FOR UPDATE"
        if dialect == "sqlite":
            lock = (
                "UPDATE users SET deleted_at = deleted_at WHERE id = {} "
                "RETURNING email, name, deleted_at"
            )
        self.lock = lock.format(self.mark)

    def close(self, key: int) -> None:
        """Run the closing; the caller begins and commits."""
        run = self.cursor.execute
        now: Any = datetime.now(UTC).replace(microsecond=0)
        if self.dialect == "sqlite":
            now = now.strftime("%Y-%m-%d %H:%M:%S.000000")
        run(self.lock, (key,))
        _, _, closed = self.cursor.fetchone()
        if closed is not None:
            return
        counts = []
        for text, takes_time in self.statements:
            run(text, (now, key) if takes_time else (key,))
            counts.append(self.cursor.rowcount)
        subject = hmac.digest(KEY.encode(), f"users {key}".encode(), "sha256").hex()
        receipt = json.dumps({"actor": "by hand", "rows": counts})
        run(self.record, (secrets.token_hex(16), subject, now, "by hand", "by hand", receipt))


def sides(
    connection: Connection, begin: Callable[[], Any], commit: Callable[[], Any], cursor: Any
) -> Iterator[Callable[[int], None]]:
    """Yield a closing by Efface and one by hand, each in a transaction of its own."""
    machine, hand = eraser(), ByHand(cursor, connection.dialect.name)

    def efface(key: int) -> None:
        with connection.begin():
            machine.close_account(connection, key, actor="by Efface")

    def by_hand(key: int) -> None:
        begin()
        hand.close(key)
        commit()

    yield efface
    yield by_hand
