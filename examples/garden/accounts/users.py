"""The users context: everything the site knows how to do with an account.

Closed accounts are left out of every query here, and none of the queries says so: `hide_closed`
does it in one place (`garden.database`). Functions never commit. The caller does.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError, NoResultFound
from sqlalchemy.orm import Session

from efface import Eraser, Receipt
from efface.sqlalchemy import include_closed
from garden.accounts import tokens
from garden.accounts.form_validation import (
    TAKEN,
    FormError,
    check_new_email,
    check_new_password,
    check_registration,
)
from garden.accounts.password_hashing import Passwords
from garden.database import lock_account
from garden.models import User

# ---------------------------------------------------------------- getters


def list_users(session: Session) -> list[User]:
    """Return all members, the longest with us first."""
    return list(session.scalars(select(User).order_by(User.inserted_at, User.id)))


def get_user(session: Session, user_id: int) -> User | None:
    """Return one member, or none."""
    return session.get(User, user_id)


def get_user_or_404(session: Session, user_id: int) -> User:
    """Return one member.

    Raises:
        NoResultFound: there is none; over HTTP a 404.
    """
    user = get_user(session, user_id)
    if user is None:
        raise NoResultFound("There is no such member.")
    return user


def get_user_by_email(session: Session, email: str) -> User | None:
    """Return the member with this address, in upper or lower case."""
    query = select(User).where(func.lower(User.email) == func.lower(email.strip()))
    return session.scalars(query).one_or_none()


def get_user_by_email_and_password(session: Session, email: str, password: str) -> User | None:
    """Return the member with this address, if the password is right."""
    user = get_user_by_email(session, email)
    return user if check_password(session, user, password) else None


def check_password(session: Session, user: User | None, password: str) -> bool:
    """Return whether *password* is the user's; it takes as long when there is no user."""
    passwords: Passwords = session.info["passwords"]
    return passwords.verify(user.hashed_password if user else None, password)


def has_password(session: Session, user_id: int) -> bool:
    """Return whether a member has a password; it is asked for each page with the closing section.

    It queries the table, which costs half of loading an object. No closed account gets here.
    """
    table = User.__table__
    query = select(table.c.hashed_password.is_not(None)).where(table.c.id == user_id)
    return bool(session.scalar(query))


def list_closed(session: Session, since: datetime | None = None) -> list[datetime]:
    """Return when members deleted their accounts, the latest first."""
    query = select(User.deleted_at).where(User.deleted_at.is_not(None))
    if since is not None:
        query = query.where(User.deleted_at >= since)
    with include_closed():
        return list(session.scalars(query.order_by(User.deleted_at.desc())))


def is_closed(session: Session, user_id: int) -> bool:
    """Return whether this account is closed."""
    query = select(User.id).where(User.id == user_id, User.deleted_at.is_not(None))
    with include_closed():
        return session.scalars(query).first() is not None


# ---------------------------------------------------------------- closing


def anonymize_user(session: Session, user_id: int, *, actor: str = "self-service") -> Receipt:
    """Close an account: remove its personal data and its logins.

    For a closed account it returns the first receipt and changes nothing.

    Raises:
        UnknownSubjectError: this account never existed.
    """
    eraser: Eraser = session.info["eraser"]
    return eraser.close_account(session, user_id, actor=actor)


# ---------------------------------------------------------------- registering


def register_user(
    session: Session,
    *,
    email: str,
    password: str | None,
    password_confirmation: str | None = None,
    name: str = "",
) -> User:
    """Return a new member, whose address is not confirmed yet; some have no password.

    Raises:
        FormError: a field is wrong, or the address is taken; if two users register
            it together, the second transaction is rolled back.
    """
    email, name = email.strip(), name.strip()
    check_registration(
        email=email,
        name=name,
        password=password,
        password_confirmation=password_confirmation,
        find=lambda address: get_user_by_email(session, address),
    )
    now = _now(session)
    hashed = None if password is None else session.info["passwords"].hash(password)
    user = User(
        email=email, name=name or None, hashed_password=hashed, inserted_at=now, updated_at=now
    )
    session.add(user)
    _flush_or_taken(session)
    return user


def confirm_user(session: Session, secret: str, logged_in: User | None = None) -> User | None:
    """Confirm an email address through the link that was sent to it.

    The link works once, and the other links of its kind are deleted. A stranger could have
    registered with this address and waited for its owner to confirm it. So the password stays
    only if the user who set it is *logged_in* here.
    """
    user = tokens.get_user_by_email_token(session, secret, tokens.CONFIRM)
    if user is None or user.confirmed_at:
        return None
    if logged_in is not None and logged_in.id == user.id:
        if not _update(session, user, confirmed_at=_now(session)):
            return None
        tokens.delete_user_tokens(session, user, tokens.CONFIRM)
        return user
    if not _update(session, user, confirmed_at=_now(session), hashed_password=None):
        return None
    tokens.delete_user_tokens(session, user)
    return user


def log_in_user_by_magic_link(session: Session, secret: str) -> User | None:
    """Return the user that a login link was sent to; a link works once.

    The first use confirms the address and deletes all other tokens. If the account has a
    password and no confirmed address, the link is refused: a stranger may have set the password,
    and the link would let both of them in.
    """
    user = tokens.get_user_by_email_token(session, secret, tokens.LOG_IN)
    if user is None or (user.hashed_password and not user.confirmed_at):
        return None
    if not _use_up(session, user, secret, tokens.LOG_IN):
        return None
    if not user.confirmed_at:
        if not _update(session, user, confirmed_at=_now(session)):
            return None
        tokens.delete_user_tokens(session, user)
    return user


# ---------------------------------------------------------------- changing


def apply_user_email(session: Session, user: User, *, email: str, current_password: str) -> str:
    """Return the new address, checked but not saved: first it has to be proven.

    Raises:
        FormError: a field is wrong, or the address is taken.
    """
    email = email.strip()
    check_new_email(
        email,
        user,
        find=lambda address: get_user_by_email(session, address),
        is_password_wrong=_is_wrong(session, user, current_password),
    )
    return email


def update_user_email(session: Session, user: User, secret: str) -> bool:
    """Change the address to the one the link was sent to; a link works once."""
    email = tokens.get_new_email(session, user, secret)
    if email is None:
        return False
    try:
        changed = _update(session, user, email=email, confirmed_at=_now(session))
    except IntegrityError:  # taken since the email was sent
        session.rollback()
        return False
    tokens.delete_user_tokens(session, user, tokens.CHANGE_EMAIL)
    return changed


def update_user_password(
    session: Session,
    user: User,
    *,
    password: str,
    password_confirmation: str | None,
    current_password: str,
) -> None:
    """Change the password, and log the user out on all devices.

    Raises:
        FormError: a field is wrong; nothing was changed.
    """
    is_wrong = _is_wrong(session, user, current_password)
    check_new_password(password, password_confirmation, is_password_wrong=is_wrong)
    _set_password(session, user, password)


def reset_user_password(
    session: Session, secret: str, *, password: str, password_confirmation: str | None
) -> User | None:
    """Change the password through a valid link, and log the user out on all devices.

    The link was sent to their address, so it confirms the address too.

    Raises:
        FormError: a field is wrong; the link stays valid.
    """
    user = tokens.get_user_by_email_token(session, secret, tokens.RESET_PASSWORD)
    if user is None:
        return None
    check_new_password(password, password_confirmation)
    if not _use_up(session, user, secret, tokens.RESET_PASSWORD):
        return None
    _set_password(session, user, password)
    if not user.confirmed_at:
        _update(session, user, confirmed_at=_now(session))
    return user


def _use_up(session: Session, user: User, secret: str, context: str) -> bool:
    """Delete a link that *user* was sent; return whether this is the one time it is used."""
    # First the account and then its tokens, as a closing does: neither waits in a circle.
    return lock_account(session, user.id) and tokens.use_up(session, secret, context)


def _is_wrong(session: Session, user: User, current_password: str) -> bool:
    """Return whether a password would be needed, and is not this one."""
    return bool(user.hashed_password) and not check_password(session, user, current_password)


def _set_password(session: Session, user: User, password: str) -> None:
    hashed = session.info["passwords"].hash(password)
    if not _update(session, user, hashed_password=hashed):
        raise FormError(password="can't be changed any more")
    tokens.delete_user_tokens(session, user)


def _update(session: Session, user: User, **values: Any) -> bool:
    """Change the account only if it is still open; return whether it was.

    It may have been closed in another tab since we read it. `hide_closed` adds the condition to
    this statement as to all others, so the database decides, and no row comes back.
    """
    changed = session.scalars(
        update(User)
        .where(User.id == user.id)
        .values(updated_at=_now(session), **values)
        .returning(User.id)
    )
    return changed.first() is not None


def _flush_or_taken(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError:
        session.rollback()
        raise FormError(email=TAKEN) from None


def _now(session: Session) -> datetime:
    now: datetime = session.info["clock"]()
    return now.replace(microsecond=0)
