"""Show account closures with their receipts in the admin, and add an action that closes accounts.

Example:
    In your ``admin.py``::

        @admin.register(User)
        class UserAdmin(CloseAccountsMixin, auth_admin.UserAdmin):
            pass
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from efface.django.accounts import close_account, plan
from efface.django.models import Closing
from efface.django.page.active_language import language, later
from efface.errors import EffaceError
from efface.evidence.receipt import Receipt
from efface.page.translations import translatable
from efface.plan.plan import Plan

PERMISSION = "efface.close_account"
ACTION = "close_accounts"  # the name of the function below
# As many plans as an admin reads before confirming.
MOST = 20
CLOSE = translatable("Close accounts…")
TITLE = translatable("Close accounts")
TOO_MANY = translatable(
    "Nothing was changed. Select at most {most} accounts, because you have to read their plans."
)
OWN_ACCOUNT = translatable(
    "Nothing was changed. You can't close your own account here. Use the page for it."
)
OUT_OF_DATE = translatable(
    "Nothing was changed. The data has changed since you read the plans. Read them again."
)
CLOSED = translatable("Closed accounts: {number}.")
NOT_CLOSED = translatable("Account {key} could not be closed. {reason}")


@admin.register(Closing)
class ClosingAdmin(admin.ModelAdmin):
    """Show the recorded closures, read-only."""

    list_display = ("reference", "closed_at", "state", "actor")
    search_fields = ("reference", "actor")
    date_hierarchy = "closed_at"
    ordering = ("-closed_at", "-id")
    fields = ("reference", "state", "closed_at", "finalized_at", "actor", "policy", "readable")
    readonly_fields = fields

    @admin.display(description=later(translatable("closure status")))
    def state(self, closing: Closing) -> str:
        """Return how far this closure is, and what the search of the database found."""
        state = translatable("closed, not finalized yet")
        if closing.finalized_at is not None:
            search = Receipt.from_json(closing.receipt).search
            state = translatable("finalized, not searched")
            if search is not None:
                clean, found = (
                    translatable("searched, nothing found"),
                    translatable("searched, data found"),
                )
                state = clean if search.is_clean else found
        return language().say(state)

    @admin.display(description=later(translatable("receipt")))
    def readable(self, closing: Closing) -> SafeString:
        """Return the receipt as it is recorded; it contains no personal data."""
        return format_html("<pre>{}</pre>", json.dumps(json.loads(closing.receipt), indent=2))

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  (Django's signature)
        """Forbid adding records by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Forbid changing records."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Forbid deleting records."""
        return False


class CloseAccountsMixin:
    """Add the action *Close accounts* to the admin of your user model.

    The action needs the permission ``efface.close_account``. It shows the plan for each account
    and asks for confirmation. The receipts name the admin by primary key.
    """

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """Return the actions, with ours for admins who have the permission.

        *action_location* is new in Django 6.1.
        """
        where = {} if action_location is None else {"action_location": action_location}
        found: dict[str, Any] = super().get_actions(request, **where)  # type: ignore[misc]  # of ModelAdmin
        ours = self.get_action(close_accounts, **where)  # type: ignore[attr-defined]  # likewise
        if ours and request.user.has_perm(PERMISSION):
            found[ACTION] = ours
        return found


@admin.action(description=later(CLOSE))
def close_accounts(
    modeladmin: Any, request: HttpRequest, queryset: QuerySet[Any]
) -> HttpResponse | None:
    """Show the plans and, after the confirmation, close each account separately."""
    users = list(queryset.order_by("pk")[: MOST + 1])
    if len(users) > MOST:
        text = language().say(TOO_MANY, most=MOST)
        modeladmin.message_user(request, text, messages.ERROR)
        return None
    if any(user.pk == request.user.pk for user in users):
        modeladmin.message_user(request, language().say(OWN_ACCOUNT), messages.ERROR)
        return None
    try:
        plans = [(user, plan(user)) for user in users]
    except EffaceError as error:
        modeladmin.message_user(request, error.message(), messages.ERROR)
        return None
    if not _were_read(request, plans):
        return _confirmation(modeladmin, request, plans)
    closed = sum(_closings(modeladmin, request, plans))
    if closed:
        text = language().say(CLOSED, number=closed)
        modeladmin.message_user(request, text, messages.SUCCESS)
    return None


def _closings(
    modeladmin: Any, request: HttpRequest, plans: list[tuple[Any, Plan]]
) -> Iterator[bool]:
    for user, read in plans:
        key = user.pk
        try:
            close_account(user, actor=f"admin {request.user.pk}", plan=read)
        except EffaceError as error:
            text = language().say(NOT_CLOSED, key=key, reason=error.message())
            modeladmin.message_user(request, text, messages.ERROR)
            yield False
        else:
            yield True


def _were_read(request: HttpRequest, plans: list[tuple[Any, Plan]]) -> bool:
    """Tell whether the page that was confirmed showed exactly these plans."""
    sent = request.POST.getlist("digest")
    return bool(request.POST.get("confirm") == "yes" and sent == [read.digest for _, read in plans])


def _confirmation(
    modeladmin: Any, request: HttpRequest, plans: list[tuple[Any, Plan]]
) -> HttpResponse:
    if request.POST.get("confirm") == "yes":
        modeladmin.message_user(request, language().say(OUT_OF_DATE), messages.WARNING)
    context = {
        **modeladmin.admin_site.each_context(request),
        "title": language().say(TITLE),
        "opts": modeladmin.model._meta,
        "plans": plans,
        "action": ACTION,
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "efface/admin/close_accounts.html", context)
