"""Developer tools: a quick login, the rows of a member, and the emails that were sent.

These pages exist only with `GARDEN_DEV=1`.
"""

from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET, require_POST

from efface.django import include_closed
from garden.developer_bar import Bar, Held, shown
from garden.sample_data import PASSWORD
from garden_django.accounts import sessions
from garden_django.accounts.users import list_closed
from garden_django.app_state import state
from garden_django.groups import find_member
from garden_django.models import Invoice, Order, Plot, Post, User, UserToken
from garden_django.web import Answering, render


def for_developers(view: Answering) -> Answering:
    """Answer 404 unless this is a developer's machine."""

    @wraps(view)
    def guarded(request: HttpRequest, **named: Any) -> HttpResponse:
        if not state.settings.dev:
            raise Http404
        return view(request, **named)

    return guarded


def developer_bar(request: HttpRequest) -> Bar | None:
    """Return the bar's facts about the logged-in member, or about the last closed account."""
    if not state.settings.dev:
        return None
    left = User.objects.exclude(deleted_at=None).order_by("-deleted_at")
    is_member = request.user.is_authenticated
    with include_closed():
        person = request.user.pk if is_member else left.values_list("pk", flat=True).first()
    member = None if is_member else find_member(is_blocked=False)
    return Bar(member.display_name if member else None, PASSWORD, held(person))


def held(user_id: int | None) -> Held | None:
    """Return a member's row and row counts, even if the account is closed."""
    with include_closed():
        user = User.objects.filter(pk=user_id).first()
        if user is None:
            return None
        rows = {
            "users_tokens": UserToken.objects.filter(user_id=user_id),
            "posts": Post.objects.filter(author_id=user_id),
            "plots": Plot.objects.filter(holder_id=user_id),
            "orders": Order.objects.filter(user_id=user_id),
            "invoices": Invoice.objects.filter(order__user_id=user_id),
        }
        columns = {field.column: field.attname for field in User._meta.fields}  # noqa: SLF001  # public by its documentation
        return Held(
            {column: shown(getattr(user, name)) for column, name in columns.items()},
            {name: found.count() for name, found in rows.items()},
            user.deleted_at is not None,
        )


@for_developers
@require_POST
def log_in(request: HttpRequest) -> HttpResponse:
    """Log in as the first member who can delete their account."""
    member = find_member(is_blocked=False)
    if member is None:
        raise Http404
    info = f"You're logged in as {member.display_name}."
    return sessions.log_in(request, member, to="/", info=info)


@for_developers
@require_GET
def closed(request: HttpRequest) -> HttpResponse:
    """Show when members deleted their accounts, and not who they were."""
    return render(request, "closed_accounts", left=list_closed())


@for_developers
@require_GET
def mailbox(request: HttpRequest) -> HttpResponse:
    """Show the emails that were sent, the latest first."""
    return render(request, "mailbox", mails=state.mailer.all()[::-1])


@for_developers
@require_GET
def mailbox_json(_request: HttpRequest) -> HttpResponse:
    """Return the emails as JSON, the oldest first."""
    return JsonResponse([mail.plain() for mail in state.mailer.all()], safe=False)
