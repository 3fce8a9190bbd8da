"""Show account closures in the admin, and add an action that closes accounts.

Example:
    In your ``admin.py``::

        @admin.register(User)
        class UserAdmin(CloseAccountsMixin, auth_admin.UserAdmin):
            pass
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
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
from efface.django.retained_records import override_retention
from efface.errors import EffaceError
from efface.evidence.receipt import Receipt
from efface.page.translations import translatable
from efface.plan.plan import Plan

PERMISSION = "efface.close_account"
OVERRIDE = "efface.override_retention"
ACTION = "close_accounts"  # the name of the function below
# The admin has to read each plan before confirming, so the number is small.
MAX_ACCOUNTS = 20
CLOSE = translatable("Close accounts…")
TITLE = translatable("Close accounts")
TOO_MANY = translatable(
    "Nothing was changed. Select at most {most} accounts, because you have to read their plans."
)
OWN_ACCOUNT = translatable(
    "Nothing was changed. You can't close your own account here. Use the page for it."
)
OUTDATED = translatable(
    "Nothing was changed. The data has changed since you read the plans. Read them again."
)
FORBIDDEN = translatable("Nothing was changed. You don't have permission to close account {key}.")
CLOSED = translatable("Closed accounts: {number}.")
NOT_CLOSED = translatable("Account {key} could not be closed. {reason}")


@admin.register(Closing)
class ClosingAdmin(admin.ModelAdmin):
    """Show the recorded account closures, read-only."""

    list_display = ("reference", "closed_at", "state", "actor")
    search_fields = ("reference", "actor")
    date_hierarchy = "closed_at"
    ordering = ("-closed_at", "-id")
    fields = ("reference", "state", "closed_at", "finalized_at", "actor", "policy", "readable")
    readonly_fields = fields

    @admin.display(description=later(translatable("closure status")))
    def state(self, closing: Closing) -> str:
        """Return the state of the account closure, and the result of the search."""
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
        """Return the recorded receipt as HTML. It contains no personal values."""
        return format_html("<pre>{}</pre>", json.dumps(json.loads(closing.receipt), indent=2))

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  (Django's hook)
        """Return False, because only a closure writes records."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Return False, because records must not change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Return False, because records must not change."""
        return False


class CloseAccountsMixin:
    """Add the action *Close accounts* to the admin of your user model.

    The action needs the permission ``efface.close_account``, and a superuser to close the account
    of a superuser. It shows each plan and asks for confirmation. The receipts name the admin by
    primary key.

    *Delete selected* and the button *Delete* need the permission ``efface.override_retention``,
    because they can take records that the policy retains. Then a receipt says so.

    Example:
        @admin.register(Member)
        class MemberAdmin(CloseAccountsMixin, UserAdmin): ...
    """

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """Return the actions, with *Close accounts* if the admin has the permission.

        Django 6.1 passes *action_location*.
        """
        options = {} if action_location is None else {"action_location": action_location}
        found: dict[str, Any] = super().get_actions(request, **options)  # type: ignore[misc]  # of ModelAdmin
        close_action = self.get_action(close_accounts, **options)  # type: ignore[attr-defined]  # likewise
        if close_action and self.has_close_permission(request):
            found[ACTION] = close_action
        return found

    def has_close_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the admin may close accounts, or the account of the user *obj*."""
        if not request.user.has_perm(PERMISSION):
            return False
        # Whoever may close accounts must not take over by closing those of superusers.
        return request.user.is_superuser or not getattr(obj, "is_superuser", False)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the admin may delete users, with records that the policy retains."""
        may_delete: bool = super().has_delete_permission(request, obj)  # type: ignore[misc]  # of ModelAdmin
        return may_delete and request.user.has_perm(OVERRIDE)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete the user, and record whose retained records go with them."""
        with _overriding_retention(request):
            super().delete_model(request, obj)  # type: ignore[misc]  # of ModelAdmin

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete the users, and record whose retained records go with them."""
        with _overriding_retention(request):
            super().delete_queryset(request, queryset)  # type: ignore[misc]  # of ModelAdmin


def _overriding_retention(request: HttpRequest) -> AbstractContextManager[None]:
    return override_retention(actor=f"admin {request.user.pk}", reason="deleted in the admin")


@admin.action(description=later(CLOSE))
def close_accounts(
    modeladmin: Any, request: HttpRequest, queryset: QuerySet[Any]
) -> HttpResponse | None:
    """Show the plans and, after confirmation, close each account in its own transaction."""
    # One more than allowed shows that there are too many, without loading all of them.
    users = list(queryset.order_by("pk")[: MAX_ACCOUNTS + 1])
    if len(users) > MAX_ACCOUNTS:
        text = language().say(TOO_MANY, most=MAX_ACCOUNTS)
        modeladmin.message_user(request, text, messages.ERROR)
        return None
    if any(user.pk == request.user.pk for user in users):
        modeladmin.message_user(request, language().say(OWN_ACCOUNT), messages.ERROR)
        return None
    for user in users:
        if not modeladmin.has_close_permission(request, user):
            text = language().say(FORBIDDEN, key=user.pk)
            modeladmin.message_user(request, text, messages.ERROR)
            return None
    try:
        plans = [(user, plan(user)) for user in users]
    except EffaceError as error:
        modeladmin.message_user(request, error.message(), messages.ERROR)
        return None
    if not _is_confirmed(request, plans):
        return _render_confirmation(modeladmin, request, plans)
    closed = sum(_close_each(modeladmin, request, plans))
    if closed:
        text = language().say(CLOSED, number=closed)
        modeladmin.message_user(request, text, messages.SUCCESS)
    return None


def _close_each(
    modeladmin: Any, request: HttpRequest, plans: list[tuple[Any, Plan]]
) -> Iterator[bool]:
    """Close each account, and yield whether it was closed."""
    # One transaction for each account, so an error leaves the others closed.
    for user, shown_plan in plans:
        # Read the key first, because closing the account may delete the row.
        key = user.pk
        try:
            close_account(user, actor=f"admin {request.user.pk}", plan=shown_plan)
        except EffaceError as error:
            text = language().say(NOT_CLOSED, key=key, reason=error.message())
            modeladmin.message_user(request, text, messages.ERROR)
            yield False
        else:
            yield True


def _is_confirmed(request: HttpRequest, plans: list[tuple[Any, Plan]]) -> bool:
    """Return whether the confirmed page showed exactly these plans."""
    sent = request.POST.getlist("digest")
    return bool(
        request.POST.get("confirm") == "yes"
        and sent == [shown_plan.digest for _, shown_plan in plans]
    )


def _render_confirmation(
    modeladmin: Any, request: HttpRequest, plans: list[tuple[Any, Plan]]
) -> HttpResponse:
    """Return the page with the plans and the button to confirm them."""
    if request.POST.get("confirm") == "yes":
        modeladmin.message_user(request, language().say(OUTDATED), messages.WARNING)
    context = {
        **modeladmin.admin_site.each_context(request),
        "title": language().say(TITLE),
        "opts": modeladmin.model._meta,
        "plans": plans,
        "action": ACTION,
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "efface/admin/close_accounts.html", context)
