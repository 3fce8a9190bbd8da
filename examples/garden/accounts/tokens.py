"""Tokens: the secret goes to the person, and only its hash into the database.

The secret is 32 random bytes as URL-safe base64 without padding. Whatever else arrives, be it
expired, used, altered or not base64 at all, is simply a token that we do not know.
"""

import hashlib
import re
import secrets
from base64 import urlsafe_b64decode
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, Text, and_, delete, func, insert, literal, select
from sqlalchemy.orm import Session

from garden.models import User, UserToken, UTCDateTime

SESSION, CONFIRM, RESET_PASSWORD, CHANGE_EMAIL = (
    "session",
    "confirm",
    "reset_password",
    "change_email",
)
VALID_FOR = {
    SESSION: timedelta(days=14),
    CONFIRM: timedelta(days=7),
    RESET_PASSWORD: timedelta(hours=1),
    CHANGE_EMAIL: timedelta(days=1),
}
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


def generate_token(session: Session, user: User, context: str, sent_to: str | None = None) -> str:
    """Return a new secret for *user*; links sent by mail are bound to the address."""
    secret = secrets.token_urlsafe(32)
    row = {
        "token": literal(hash_secret(secret)),
        "context": literal(context),
        "sent_to": literal(sent_to, Text),
        "inserted_at": literal(session.info["clock"](), UTCDateTime),
    }
    # Nothing is added for an account that was closed while we were hashing a password: the SELECT
    # does not find it.
    found = select(User.id, *row.values()).where(User.id == user.id)
    session.execute(insert(UserToken).from_select(["user_id", *row], found))
    return secret


def hash_secret(secret: str) -> bytes:
    """Return what we store of *secret*; nothing is stored that equals it for garbage."""
    if not SECRET.fullmatch(secret):
        return b""
    return hashlib.sha256(urlsafe_b64decode(secret + "=")).digest()


def generate_user_session_token(session: Session, user: User) -> str:
    """Log *user* in: return the secret that the browser keeps in its cookie."""
    return generate_token(session, user, SESSION)


def get_user_by_session_token(session: Session, secret: str) -> User | None:
    """Return who is logged in with *secret*."""
    return session.scalars(_users(session, secret, SESSION)).one_or_none()


def delete_user_session_token(session: Session, secret: str) -> None:
    """Log out the one browser that holds *secret*."""
    session.execute(delete(UserToken).where(*_is(secret, SESSION)))


def get_user_by_email_token(session: Session, secret: str, context: str) -> User | None:
    """Return the person a link was sent to, if they still have the address it was sent to."""
    query = _users(session, secret, context)
    return session.scalars(
        query.where(func.lower(UserToken.sent_to) == func.lower(User.email))
    ).one_or_none()


def get_new_email(session: Session, user: User, secret: str) -> str | None:
    """Return the new address that *user* proved with a link; another's link proves nothing."""
    query = _users(session, secret, CHANGE_EMAIL).where(User.id == user.id)
    return session.scalars(query.with_only_columns(UserToken.sent_to)).one_or_none()


def delete_user_tokens(session: Session, user: User, *contexts: str) -> None:
    """Delete the tokens of *user* with one of the *contexts*, or all of them."""
    mine = delete(UserToken).where(UserToken.user_id == user.id)
    session.execute(mine.where(UserToken.context.in_(contexts)) if contexts else mine)


def _is(secret: str, context: str) -> tuple[ColumnElement[bool], ...]:
    return UserToken.context == context, UserToken.token == hash_secret(secret)


def _users(session: Session, secret: str, context: str) -> Select[User]:
    now: datetime = session.info["clock"]()
    return (
        select(User)
        .join(UserToken, and_(UserToken.user_id == User.id, *_is(secret, context)))
        .where(UserToken.inserted_at > now - VALID_FOR[context])
    )
