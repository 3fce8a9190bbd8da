"""The users context: everything the site knows how to do with an account.

Closed accounts are left out of every query here, and none of the queries says so: `efface.django`
does it in one place. Each function is one transaction.
"""

from datetime import datetime
from typing import Any

from django.contrib.auth.hashers import check_password as is_behind
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.http import Http404

from efface import Receipt
from efface.django import close_account, include_closed
from garden.accounts.form_validation import (
    TAKEN,
    FormError,
    check_new_email,
    check_new_password,
    check_registration,
)
from garden.accounts.password_hashing import LONGEST
from garden_django.accounts import tokens
from garden_django.app_state import now
from garden_django.models import User

# ---------------------------------------------------------------- getters


def list_users() -> list[User]:
    """Return all members, the longest with us first."""
    return list(User.objects.order_by("inserted_at", "pk"))


def get_user(user_id: int) -> User | None:
    """Return one member, or none."""
    return User.objects.filter(pk=user_id).first()


def get_user_or_404(user_id: int) -> User:
    """Return one member.

    Raises:
        Http404: there is none.
    """
    user = get_user(user_id)
    if user is None:
        raise Http404("There is no such member.")
    return user


def get_user_by_email(email: str) -> User | None:
    """Return the member with this address, in upper or lower case."""
    try:
        return User.objects.get_by_natural_key(email)
    except User.DoesNotExist:
        return None


def get_user_by_email_and_password(email: str, password: str) -> User | None:
    """Return the member with this address, if the password is right."""
    user = get_user_by_email(email)
    return user if check_password(user, password) else None


def check_password(user: User | None, password: str) -> bool:
    """Return whether *password* is the user's; it takes as long when there is no user.

    Without a hash to compare, it hashes anyway: the response time must not show whether an email
    address is known.
    """
    hashed = user.password if user is not None else None
    if not hashed or not 0 < len(password) <= LONGEST:
        make_password("")
        return False
    return is_behind(password, hashed)


def list_closed(since: datetime | None = None) -> list[datetime]:
    """Return when members deleted their accounts, the latest first."""
    left = User.objects.exclude(deleted_at=None).order_by("-deleted_at")
    if since is not None:
        left = left.filter(deleted_at__gte=since)
    with include_closed():
        return list(left.values_list("deleted_at", flat=True))


def is_closed(user_id: int) -> bool:
    """Return whether this account is closed."""
    with include_closed():
        return User.objects.filter(pk=user_id).exclude(deleted_at=None).exists()


# ---------------------------------------------------------------- closing


def anonymize_user(user_id: int, *, actor: str = "self-service") -> Receipt:
    """Close an account: remove its personal data and its logins.

    For a closed account it returns the first receipt and changes nothing.

    Raises:
        UnknownSubjectError: this account never existed.
    """
    return close_account(user_id, actor=actor)


# ---------------------------------------------------------------- registering


def register_user(
    *,
    email: str,
    password: str | None,
    password_confirmation: str | None = None,
    name: str = "",
) -> User:
    """Return a new member, whose address is not confirmed yet; some have no password.

    Raises:
        FormError: a field is wrong, or the address is taken.
    """
    email, name = email.strip(), name.strip()
    check_registration(
        email=email,
        name=name,
        password=password,
        password_confirmation=password_confirmation,
        find=get_user_by_email,
    )
    hashed = None if password is None else make_password(password)
    user = User(
        email=email, name=name or None, password=hashed, inserted_at=_now(), updated_at=_now()
    )
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:  # two at once
        raise FormError(email=TAKEN) from None
    return user


@transaction.atomic
def confirm_user(secret: str, logged_in: User | None = None) -> User | None:
    """Confirm an email address through the link that was sent to it.

    The link works once, and the other links of its kind are deleted. A stranger could have
    registered with this address and waited for its owner to confirm it. So the password stays
    only if the user who set it is *logged_in* here.
    """
    user = tokens.get_user_by_email_token(secret, tokens.CONFIRM)
    if user is None or user.confirmed_at:
        return None
    if logged_in is not None and logged_in.pk == user.pk:
        if not _update(user, confirmed_at=_now()):
            return None
        tokens.delete_user_tokens(user, tokens.CONFIRM)
        return user
    if not _update(user, confirmed_at=_now(), password=None):
        return None
    tokens.delete_user_tokens(user)
    return user


@transaction.atomic
def log_in_user_by_magic_link(secret: str) -> User | None:
    """Return the user that a login link was sent to; a link works once.

    The first use confirms the address and deletes all other tokens. If the account has a
    password and no confirmed address, the link is refused: a stranger may have set the password,
    and the link would let both of them in.
    """
    user = tokens.get_user_by_email_token(secret, tokens.LOG_IN)
    if user is None or (user.password and not user.confirmed_at):
        return None
    if not _use_up(user, secret, tokens.LOG_IN):
        return None
    if not user.confirmed_at:
        if not _update(user, confirmed_at=_now()):
            return None
        tokens.delete_user_tokens(user)
    return user


# ---------------------------------------------------------------- changing


def apply_user_email(user: User, *, email: str, current_password: str) -> str:
    """Return the new address, checked but not saved: first it has to be proven.

    Raises:
        FormError: a field is wrong, or the address is taken.
    """
    email = email.strip()
    check_new_email(
        email,
        user,
        find=get_user_by_email,
        is_password_wrong=_is_wrong(user, current_password),
    )
    return email


def update_user_email(user: User, secret: str) -> bool:
    """Change the address to the one the link was sent to; a link works once."""
    email = tokens.get_new_email(user, secret)
    if email is None:
        return False
    try:
        with transaction.atomic():
            changed = _update(user, email=email, confirmed_at=_now())
            tokens.delete_user_tokens(user, tokens.CHANGE_EMAIL)
    except IntegrityError:  # taken since the email was sent
        return False
    return changed


def update_user_password(
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
    is_wrong = _is_wrong(user, current_password)
    check_new_password(password, password_confirmation, is_password_wrong=is_wrong)
    _set_password(user, password)


@transaction.atomic
def reset_user_password(
    secret: str, *, password: str, password_confirmation: str | None
) -> User | None:
    """Change the password through a valid link, and log the user out on all devices.

    The link was sent to their address, so it confirms the address too.

    Raises:
        FormError: a field is wrong; the link stays valid.
    """
    user = tokens.get_user_by_email_token(secret, tokens.RESET_PASSWORD)
    if user is None:
        return None
    check_new_password(password, password_confirmation)
    if not _use_up(user, secret, tokens.RESET_PASSWORD):
        return None
    _set_password(user, password)
    if not user.confirmed_at:
        _update(user, confirmed_at=_now())
    return user


def _use_up(user: User, secret: str, context: str) -> bool:
    """Delete a link that *user* was sent; return whether this is the one time it is used."""
    # First the account and then its tokens, as a closing does: neither waits in a circle.
    return User.objects.locked(user.pk) is not None and tokens.use_up(secret, context)


def _is_wrong(user: User, current_password: str) -> bool:
    """Return whether a password would be needed, and is not this one."""
    return bool(user.password) and not check_password(user, current_password)


def _set_password(user: User, password: str) -> None:
    hashed = make_password(password)
    with transaction.atomic():
        if not _update(user, password=hashed):
            raise FormError(password="can't be changed any more")
        tokens.delete_user_tokens(user)


def _update(user: User, **values: Any) -> bool:
    """Change the account only if it is still open; return whether it was.

    It may have been closed in another tab since we read it. `efface.django` adds the condition to
    this statement as to all others, so the database decides.
    """
    changed = User.objects.filter(pk=user.pk).update(updated_at=_now(), **values)
    for name, value in values.items() if changed else ():
        setattr(user, name, value)
    return bool(changed)


def _now() -> datetime:
    return now().replace(microsecond=0)
