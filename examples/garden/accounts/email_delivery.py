"""Send the emails about accounts, each to the right address.

All of this runs after the answer has been sent: how long an answer takes must not tell whether
an address is known. So each function opens a transaction of its own. If the account is
closed in the meantime, it gets no secret and no email.
"""

from collections.abc import Callable

from sqlalchemy.orm import Session, sessionmaker

from garden.accounts import emails, tokens
from garden.accounts.users import get_user, get_user_by_email
from garden.mailer import Mailer

Link = Callable[[str], str]


def deliver_user_confirmation_instructions(
    sessions: sessionmaker[Session], mailer: Mailer, email: str, link: Link
) -> None:
    """Send the link that confirms an address, unless it is unknown or confirmed."""
    with sessions.begin() as session:
        user = get_user_by_email(session, email)
        if user is None or user.confirmed_at:
            return
        to, secret = user.email, tokens.generate_token(session, user, tokens.CONFIRM, user.email)
    if secret:
        emails.deliver(mailer, to, emails.confirm_email(link(secret)))


def deliver_login_instructions(
    sessions: sessionmaker[Session], mailer: Mailer, email: str, link: Link, confirm: Link
) -> None:
    """Send the link that logs in, unless the address is unknown.

    A member who registered with a password confirms the address first, by the other link.
    """
    with sessions.begin() as session:
        user = get_user_by_email(session, email)
        if user is None:
            return
        to, is_new = user.email, user.confirmed_at is None
        first_confirms = is_new and bool(user.hashed_password)
        secret = None if first_confirms else tokens.generate_token(session, user, tokens.LOG_IN, to)
    if first_confirms:
        deliver_user_confirmation_instructions(sessions, mailer, to, confirm)
    elif secret:
        emails.deliver(mailer, to, emails.log_in(link(secret), is_new=is_new))


def deliver_user_reset_password_instructions(
    sessions: sessionmaker[Session], mailer: Mailer, email: str, link: Link
) -> None:
    """Send the link that resets a password, unless the address is unknown."""
    with sessions.begin() as session:
        user = get_user_by_email(session, email)
        if user is None:
            return
        to = user.email
        secret = tokens.generate_token(session, user, tokens.RESET_PASSWORD, user.email)
    if secret:
        emails.deliver(mailer, to, emails.reset_password(link(secret)))


def deliver_user_update_email_instructions(
    sessions: sessionmaker[Session], mailer: Mailer, user_id: int, new_email: str, link: Link
) -> None:
    """Send the link that changes an address to the new one, and a notice to the old one."""
    with sessions.begin() as session:
        user = get_user(session, user_id)
        if user is None:
            return
        old_email = user.email
        secret = tokens.generate_token(session, user, tokens.CHANGE_EMAIL, new_email)
    if secret:
        emails.deliver(mailer, new_email, emails.change_email(link(secret)))
        emails.deliver(mailer, old_email, emails.EMAIL_MAY_CHANGE)
