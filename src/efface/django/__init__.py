"""HOST · Django: ``INSTALLED_APPS += ["efface.django"]``, and accounts close on its connection.

from efface.django import Rules, close_account

class Post(models.Model):
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    body = models.TextField()

    efface = Rules(
        on_leaving(Redact(), via="author"),
        personal={"body": ReplaceMentions("a former member")},
    )
"""

from __future__ import annotations

from efface.errors import MissingExtraError

try:
    from efface.django.bridge import joined
    from efface.django.closing import close_account, erase_due, eraser, plan, settle, verify
    from efface.django.rules import Rules
    from efface.django.signals import account_closed, account_erased
    from efface.page.blocker import Blocker
    from efface.page.proof import TooManyTriesError
    from efface.visibility import include_closed
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "django":
        raise
    raise MissingExtraError("efface.django", "django") from None

__all__ = [
    "Blocker",
    "Rules",
    "TooManyTriesError",
    "account_closed",
    "account_erased",
    "close_account",
    "erase_due",
    "eraser",
    "include_closed",
    "joined",
    "plan",
    "settle",
    "verify",
]
