"""The texts of the emails about an account, and how the mailer gets one.

An email with a link proves who reads it. A notice says what was changed.
"""

import logging
from dataclasses import dataclass

from efface.page.confirmation_email import ConfirmationEmail
from garden.mailer import Mailer

logger = logging.getLogger("garden.accounts")

IF_IT_WAS_NOT_YOU = (
    "If it wasn't you, set a new password now: choose “Forgot your password?” on the login page.\n"
)


@dataclass(frozen=True)
class Email:
    """A subject and a text, without a recipient."""

    subject: str
    text: str


EMAIL_MAY_CHANGE = Email(
    "A request to change your email address",
    "You, or another person who is logged in to your account, asked us to change its email "
    f"address.\nNothing has changed yet. {IF_IT_WAS_NOT_YOU}",
)
EMAIL_CHANGED = Email(
    "Your email address was changed",
    "Your account has a new email address. We no longer use this one.\n"
    "If it wasn't you, reply to this email now.\n",
)
PASSWORD_CHANGED = Email(
    "Your password was changed", f"Your account has a new password. {IF_IT_WAS_NOT_YOU}"
)


def confirm_email(link: str) -> Email:
    """Return the email with the link that confirms an email address."""
    return Email(
        "Confirm your email address",
        f"Welcome to the garden! Open this page to confirm your email address:\n\n{link}\n\n"
        "If you didn't create an account with us, ignore this email.\n",
    )


def log_in(link: str, *, is_new: bool) -> Email:
    """Return the email with a login link; for a new account the link confirms the address too."""
    welcome = (
        "Welcome to the garden! To confirm your email address and log in" if is_new else "To log in"
    )
    return Email(
        "Confirm your email address" if is_new else "Log in to the garden",
        f"{welcome}, open this page within 15 minutes:\n\n{link}\n\n"
        "If you didn't ask for this, ignore this email.\n",
    )


def reset_password(link: str) -> Email:
    """Return the email with the link that resets a password."""
    return Email(
        "Reset your password",
        f"To set a new password, open this page within an hour:\n\n{link}\n\n"
        "If you didn't ask for this, ignore this email. Nothing has changed.\n",
    )


def change_email(link: str) -> Email:
    """Return the email to the new address, with the link that changes to it."""
    return Email(
        "Change your email address",
        "To use this email address for your account, log in and then open this page:"
        f"\n\n{link}\n\n"
        "If you didn't ask for this, ignore this email. Nothing has changed.\n",
    )


def deliver(mailer: Mailer, to: str, email: Email) -> None:
    """Give an email to the mailer; log a failure without the recipient's address."""
    try:
        mailer.deliver(to, email.subject, email.text)
    except Exception as error:  # noqa: BLE001  (whatever a mailer raises can quote the address)
        logger.warning("An email could not be delivered: %s", type(error).__name__)


def deliver_confirmation_email(
    mailer: Mailer, to: str, email: ConfirmationEmail, site_url: str
) -> None:
    """Tell former members what we kept and until when; it is the last email to them.

    Without *site_url* the email has no link. Anyone can choose the host name in a request, so a
    link made from it could lead anywhere.

    Raises:
        Exception: the mailer failed. The caller logs it.
    """
    link = f"\nRead this again, without an account: {site_url}{email.path}\n" if site_url else ""
    mailer.deliver(to, email.subject, f"{email.text}{link}")
