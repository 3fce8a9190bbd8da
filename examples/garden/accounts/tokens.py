"""Tokens: the rows behind the secrets (`garden.accounts.token_secrets`), for logins and links."""

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from garden.accounts.token_secrets import (
    CHANGE_EMAIL,
    CONFIRM,
    GRACE,
    LOG_IN,
    RESET_PASSWORD,
    SESSION,
    VALID_FOR,
    Login,
    hash_secret,
    new_browser_id,
    new_secret,
)
from garden.database import lock_account
from garden.models import User, UserToken

__all__ = ["CHANGE_EMAIL", "CONFIRM", "LOG_IN", "RESET_PASSWORD", "SESSION"]


def generate_token(
    session: Session,
    user: User,
    context: str,
    sent_to: str | None = None,
    *,
    authenticated_at: datetime | None = None,
    browser_id: str | None = None,
) -> str | None:
    """Return a new secret for *user*; links sent by email are bound to the address.

    There is none where the account was closed meanwhile: we may have been hashing a password.
    """
    if not lock_account(session, user.id):
        return None
    secret = new_secret()
    session.execute(
        insert(UserToken).values(
            user_id=user.id,
            token=hash_secret(secret),
            context=context,
            sent_to=sent_to,
            inserted_at=session.info["clock"](),
            authenticated_at=authenticated_at,
            browser_id=browser_id,
        )
    )
    return secret


# ---------------------------------------------------------------- logins


def generate_user_session_token(
    session: Session, user: User, authenticated_at: datetime | None = None
) -> str | None:
    """Log *user* in: return the secret that the browser keeps in its cookie."""
    return generate_token(
        session,
        user,
        SESSION,
        authenticated_at=authenticated_at or session.info["clock"](),
        browser_id=new_browser_id(),
    )


def find_login(session: Session, secret: str) -> Login | None:
    """Return the login that *secret* stands for."""
    return _find_login(session, _users(session, secret, SESSION))


def find_login_of(session: Session, browser_id: str) -> Login | None:
    """Return the login of a browser whose token may have been replaced meanwhile.

    A page that was open before proves nothing new: it does not say when they authenticated.
    """
    query = _valid(session, SESSION, UserToken.browser_id == browser_id)
    found = _find_login(session, query.where(UserToken.replaced_at.is_(None)).limit(1))
    return Login(found.user, found.inserted_at, browser_id=browser_id) if found else None


def get_user_by_session_token(session: Session, secret: str) -> User | None:
    """Return who is logged in with *secret*."""
    login = find_login(session, secret)
    return login.user if login else None


def replace_session_token(
    session: Session, login: Login, secret: str, authenticated_at: datetime | None
) -> str | None:
    """Return a new secret for the same browser; the old one works for a minute more.

    There is none where a request at the same moment has replaced it already, or the account has
    been closed.
    """
    # First the account and then its tokens, as a closing does: neither waits in a circle.
    if not lock_account(session, login.user.id):
        return None
    replaced = session.scalars(
        update(UserToken)
        .where(*_is(secret, SESSION), UserToken.replaced_at.is_(None))
        .values(replaced_at=session.info["clock"]())
        .returning(UserToken.id)
        .execution_options(synchronize_session=False)
    )
    if replaced.first() is None:
        return None
    return generate_token(
        session,
        login.user,
        SESSION,
        authenticated_at=authenticated_at,
        browser_id=login.browser_id or new_browser_id(),
    )


def delete_user_session_token(session: Session, secret: str) -> None:
    """Log out the one browser that holds *secret*, with what it held before."""
    browser = select(UserToken.browser_id).where(*_is(secret, SESSION)).scalar_subquery()
    session.execute(
        delete(UserToken)
        .where(or_(and_(*_is(secret, SESSION)), UserToken.browser_id == browser))
        .execution_options(synchronize_session=False)
    )


def delete_expired_tokens(session: Session) -> int:
    """Delete the expired tokens; return their number."""
    now: datetime = session.info["clock"]()
    expired = [
        and_(UserToken.context == context, UserToken.inserted_at <= now - time)
        for context, time in VALID_FOR.items()
    ]
    gone = session.scalars(
        delete(UserToken)
        .where(or_(*expired, UserToken.replaced_at <= now - GRACE))
        .returning(UserToken.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


# ---------------------------------------------------------------- links


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


def use_up(session: Session, secret: str, context: str) -> bool:
    """Delete a link; return whether this is the one time it is used."""
    used = session.scalars(delete(UserToken).where(*_is(secret, context)).returning(UserToken.id))
    return used.first() is not None


def delete_user_tokens(session: Session, user: User, *contexts: str) -> None:
    """Delete the tokens of *user* with one of the *contexts*, or all of them."""
    mine = delete(UserToken).where(UserToken.user_id == user.id)
    session.execute(mine.where(UserToken.context.in_(contexts)) if contexts else mine)


# ---------------------------------------------------------------- statements


def _is(secret: str, context: str) -> tuple[ColumnElement[bool], ...]:
    return UserToken.context == context, UserToken.token == hash_secret(secret)


def _users(session: Session, secret: str, context: str) -> Select[User]:
    return _valid(session, context, *_is(secret, context))


def _valid(session: Session, context: str, *conditions: ColumnElement[bool]) -> Select[User]:
    now: datetime = session.info["clock"]()
    return (
        select(User)
        .join(UserToken, and_(UserToken.user_id == User.id, *conditions))
        .where(
            UserToken.context == context,
            UserToken.inserted_at > now - VALID_FOR[context],
            or_(UserToken.replaced_at.is_(None), UserToken.replaced_at > now - GRACE),
        )
    )


def _find_login(session: Session, query: Select[User]) -> Login | None:
    row = session.execute(
        query.add_columns(
            UserToken.inserted_at,
            UserToken.authenticated_at,
            UserToken.replaced_at,
            UserToken.browser_id,
        )
    ).one_or_none()
    return Login(*row) if row else None
