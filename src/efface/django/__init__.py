"""INTEGRATION · Django: close accounts on Django's own connection.

Add the app with ``INSTALLED_APPS += ["efface.django"]``, and give each model its rules:

from efface.django import Rules, close_account

class Post(models.Model):
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    body = models.TextField()

    efface = Rules(
        on_close(Redact(), via="author"),
        personal={"body": ReplaceMentions("a former member")},
    )
"""

from __future__ import annotations

from efface.errors import MissingExtraError

try:
    from efface.django.accounts import (
        close_account,
        eraser,
        finalize,
        plan,
        receipts,
        run_pending,
        verify,
    )
    from efface.django.database.django_connection import sqlalchemy_connection
    from efface.django.earlier_accounts import adopt, erase_again
    from efface.django.retained_records import override_retention
    from efface.django.rules import Rules
    from efface.django.signals import account_closed, account_erased, account_finalized
    from efface.errors import TooManyAttemptsError
    from efface.include_closed_block import include_closed
    from efface.page.blockers import Blocker
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "django":
        raise
    raise MissingExtraError("efface.django", "django") from None

__all__ = [
    "Blocker",
    "Rules",
    "TooManyAttemptsError",
    "account_closed",
    "account_erased",
    "account_finalized",
    "adopt",
    "close_account",
    "erase_again",
    "eraser",
    "finalize",
    "include_closed",
    "override_retention",
    "plan",
    "receipts",
    "run_pending",
    "sqlalchemy_connection",
    "verify",
]
