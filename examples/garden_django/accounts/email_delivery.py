"""Send the emails about accounts, each to the right address.

All of this runs after the answer is made: how long an answer takes must not tell whether an
address is known. If the account is closed in the meantime, it gets no secret and no email.
A *link* is the address of a page, to which the secret is added.
"""

from garden.accounts import emails
from garden_django.accounts import tokens
from garden_django.accounts.users import get_user, get_user_by_email
from garden_django.app_state import state


def deliver_user_confirmation_instructions(email: str, link: str) -> None:
    """Send the link that confirms an address, unless it is unknown or confirmed."""
    user = get_user_by_email(email)
    if user is None or user.confirmed_at:
        return
    secret = tokens.generate_token(user, tokens.CONFIRM, user.email)
    if secret:
        emails.deliver(state.mailer, user.email, emails.confirm_email(link + secret))


def deliver_login_instructions(email: str, link: str, confirm: str) -> None:
    """Send the link that logs in, unless the address is unknown.

    A member who registered with a password confirms the address first, by the other link.
    """
    user = get_user_by_email(email)
    if user is None:
        return
    is_new = user.confirmed_at is None
    if is_new and user.password:
        deliver_user_confirmation_instructions(user.email, confirm)
        return
    secret = tokens.generate_token(user, tokens.LOG_IN, user.email)
    if secret:
        emails.deliver(state.mailer, user.email, emails.log_in(link + secret, is_new=is_new))


def deliver_user_reset_password_instructions(email: str, link: str) -> None:
    """Send the link that resets a password, unless the address is unknown."""
    user = get_user_by_email(email)
    if user is None:
        return
    secret = tokens.generate_token(user, tokens.RESET_PASSWORD, user.email)
    if secret:
        emails.deliver(state.mailer, user.email, emails.reset_password(link + secret))


def deliver_user_update_email_instructions(user_id: int, new_email: str, link: str) -> None:
    """Send the link that changes an address to the new one, and a notice to the old one."""
    user = get_user(user_id)
    if user is None:
        return
    secret = tokens.generate_token(user, tokens.CHANGE_EMAIL, new_email)
    if secret:
        emails.deliver(state.mailer, new_email, emails.change_email(link + secret))
        emails.deliver(state.mailer, user.email, emails.EMAIL_MAY_CHANGE)


def deliver_notice(email: str, notice: emails.Email) -> None:
    """Send a notice about a change."""
    emails.deliver(state.mailer, email, notice)
