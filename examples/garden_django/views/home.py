"""The garden itself: the notice board, the plots, the members."""

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from garden import notices
from garden.post_limits import POSTS_ON_A_PAGE, is_post
from garden_django.accounts.users import list_users
from garden_django.app_state import now
from garden_django.live import tell_all
from garden_django.models import Post, User
from garden_django.plots import list_plots, pick_plot
from garden_django.views import developer_pages
from garden_django.web import fields, for_members, redirect, render


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Show the home page, where members also arrive after deleting their account."""
    posts = Post.objects.select_related("author").order_by("-inserted_at", "-pk")
    return render(
        request,
        "home",
        posts=posts[:POSTS_ON_A_PAGE],
        plots=list_plots(),
        developer_bar=developer_pages.developer_bar(request),
    )


@require_GET
def members(request: HttpRequest) -> HttpResponse:
    """Show who gardens here."""
    return render(request, "members", members=list_users())


@require_POST
@for_members
def write(request: HttpRequest) -> HttpResponse:
    """Pin a post to the notice board."""
    title, body = (text.strip() for text in fields(request, "title", "body"))
    if not is_post(title, body):
        return redirect(request, "/", error=notices.NOT_POSTED)
    with transaction.atomic():
        # Locked, so that a member whose account is being closed can't post.
        author = User.objects.locked(request.user.pk)
        if author is None:
            return redirect(request, "/users/log_in", error=notices.MUST_LOG_IN)
        Post.objects.create(author=author, title=title, body=body, inserted_at=now())
    return redirect(request, "/#board", info=notices.POSTED)


@require_POST
@for_members
def pick(request: HttpRequest) -> HttpResponse:
    """Pick a plot without the WebSocket."""
    (plot,) = fields(request, "plot")
    picked = pick_plot(request.user.pk, plot)
    if picked is None:
        return redirect(request, "/#plots", error=notices.NOT_PICKED)
    tell_all(request.user.pk, picked)
    return redirect(request, "/#plots", info=notices.PICKED.format(plot))
