"""The garden itself: the notice board, the plots, the members; and what developers look at."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core import mail
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from garden_django.forms import WritePost
from garden_django.models import Plot, PlotGroup, PlotGroupMember, Post, User

POSTS_ON_A_PAGE = 8


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    posts = Post.objects.select_related("author").order_by("-inserted_at", "-id")
    plots = Plot.objects.select_related("holder").order_by("id")
    facts = {"posts": posts[:POSTS_ON_A_PAGE], "plots": plots, "dev": settings.DEV}
    return render(request, "home.html", facts)


@require_safe
def members(request: HttpRequest) -> HttpResponse:
    return render(request, "members.html", {"members": User.objects.order_by("inserted_at", "id")})


@login_required
@require_POST
def write(request: HttpRequest) -> HttpResponse:
    form = WritePost(request.POST)
    if form.is_valid():
        Post.objects.create(author=request.user, inserted_at=timezone.now(), **form.cleaned_data)
    else:
        messages.error(request, "A post needs a short title and a few lines.")
    return redirect("/")


@login_required
@require_POST
@transaction.atomic
def pick(request: HttpRequest) -> HttpResponse:
    """Give a free plot to a member, and the one they had back."""
    # Locked, so that nobody picks a plot who is just leaving.
    get_object_or_404(User.objects.select_for_update(), pk=request.user.pk)
    label = request.POST.get("plot", "")
    if Plot.objects.filter(label=label, holder=None).update(holder=request.user):
        Plot.objects.filter(holder=request.user).exclude(label=label).update(holder=None)
        messages.info(request, f"Plot {label} is yours.")
    else:
        messages.error(request, "Somebody else has this plot already.")
    return redirect("/")


@login_required
@require_safe
def group(request: HttpRequest, key: int) -> HttpResponse:
    found = get_object_or_404(PlotGroup, pk=key, members__user=request.user)
    organizes = found.members.filter(user=request.user, is_organizer=True).exists()
    facts = {"group": found, "organizes": organizes}
    facts["members"] = found.members.select_related("user").order_by("user_id")
    return render(request, "group.html", facts)


@login_required
@require_POST
@transaction.atomic
def add_organizer(request: HttpRequest, key: int) -> HttpResponse:
    """Let another member organize too; whoever is just leaving holds the group's lock."""
    found = get_object_or_404(PlotGroup.objects.select_for_update(), pk=key)
    theirs = PlotGroupMember.objects.filter(group=found)
    member = request.POST.get("member", "")
    may = theirs.filter(user=request.user, is_organizer=True).exists() and member.isdecimal()
    if not (may and theirs.filter(user=member).update(is_organizer=True)):
        messages.error(request, "Only an organizer can do this, for a member.")
    return redirect(f"/groups/{key}")


@require_safe
def closed(request: HttpRequest) -> HttpResponse:
    """Show when people left, and nothing about who they were."""
    _for_developers()
    left = User.objects.include_closed().exclude(deleted_at=None).order_by("-deleted_at")
    return render(request, "closed.html", {"left": left.values_list("deleted_at", flat=True)})


@require_safe
def mailbox(_request: HttpRequest) -> HttpResponse:
    """Return the mails that were sent, the oldest first."""
    _for_developers()
    sent = getattr(mail, "outbox", [])
    mails = [{"to": each.to[0], "subject": each.subject, "text": each.body} for each in sent]
    return JsonResponse(mails, safe=False)


def _for_developers() -> None:
    if not settings.DEV:
        raise Http404
