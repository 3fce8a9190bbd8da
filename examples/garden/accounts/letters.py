"""The mails that accounts need, each with a link that proves who reads them.

All of this runs after the answer has been sent: how long an answer takes must not tell whether
an address is known. So each function opens a transaction of its own.
"""

from collections.abc import Callable

from sqlalchemy.orm import Session, sessionmaker

from garden.accounts import tokens
from garden.accounts.users import get_user, get_user_by_email
from garden.mail import Mailer

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
    mailer.deliver(
        to,
        "Confirm your address",
        f"Welcome to the garden! Open this page to confirm your address:\n\n{link(secret)}\n\n"
        "If you did not create an account with us, ignore this mail.\n",
    )


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
    mailer.deliver(
        to,
        "Reset your password",
        f"Open this page within the hour to set a new password:\n\n{link(secret)}\n\n"
        "If you did not ask for this, ignore this mail; nothing has changed.\n",
    )


def deliver_user_update_email_instructions(
    sessions: sessionmaker[Session], mailer: Mailer, user_id: int, new_email: str, link: Link
) -> None:
    """Send the link that changes an address, to the new one; nothing changes before."""
    with sessions.begin() as session:
        user = get_user(session, user_id)
        if user is None:
            return
        secret = tokens.generate_token(session, user, tokens.CHANGE_EMAIL, new_email)
    mailer.deliver(
        new_email,
        "Change your address",
        f"Open this page, while logged in, to use this address from now on:\n\n{link(secret)}\n\n"
        "If you did not ask for this, ignore this mail; nothing has changed.\n",
    )
