"""Join, log in and out, confirm, reset a password, change what one said."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from garden_django import forms
from garden_django.models import Session, User
from garden_django.web import deliver, link_to, seal, unseal

LONGEST_KEY = 18  # of digits
TWO_WEEKS, A_WEEK = 14 * 86400, 7 * 86400
MAIL_IS_COMING = "If your address is in our system, you will receive a mail shortly."
CLEARED = (
    "Your address is confirmed. Before you log in, set a password of your own: "
    "“Forgot your password?” on the log-in page."
)
BAD_LINK = "The link is not valid or it has expired."
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
resets = PasswordResetTokenGenerator()


def page(request: HttpRequest, title: str, form: Any, button: str = "Send") -> HttpResponse:
    """Show one form."""
    status = 422 if form.is_bound else 200
    return render(
        request, "form.html", {"title": title, "form": form, "button": button}, status=status
    )


def away(request: HttpRequest, to: str, text: str, *, is_error: bool = False) -> HttpResponse:
    """Lead elsewhere with a word about it."""
    (messages.error if is_error else messages.info)(request, text)
    answer: HttpResponse = redirect(to)
    return answer


@require_http_methods(["GET", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    form = forms.Register(request.POST or None)
    if not form.is_valid():
        return page(request, "Join the garden", form, "Create an account")
    said = form.cleaned_data
    user = User(email=said["email"], name=said["name"] or None)
    user.set_password(said["password"])
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:  # two at once
        form.add_error("email", forms.TAKEN)
        return page(request, "Join the garden", form, "Create an account")
    login(request, user, MODEL_BACKEND)
    _send_confirmation(request, user)
    return away(request, "/", "Welcome to the garden!")


@require_http_methods(["GET", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    form = forms.LogIn(request.POST or None)
    if not form.is_valid():
        return page(request, "Log in", form, "Log in")
    user = form.user()
    if user is None:
        form.add_error(None, "Invalid e-mail or password")
        return page(request, "Log in", form, "Log in")
    login(request, user)
    request.session.set_expiry(TWO_WEEKS if form.cleaned_data["remember_me"] else 0)
    to = request.GET.get("next", "/")
    is_here = url_has_allowed_host_and_scheme(to, allowed_hosts=None)
    return away(request, to if is_here else "/", "Welcome back!")


def log_out(request: HttpRequest) -> HttpResponse:
    is_form = request.method == "POST" and request.POST.get("_method") == "delete"
    if request.method != "DELETE" and not is_form:
        return HttpResponseNotAllowed(["DELETE", "POST"])
    logout(request)
    if request.method == "DELETE":
        return HttpResponse(status=204)
    return away(request, "/", "You are logged out. See you soon!")


@require_http_methods(["GET", "POST"])
def ask_to_confirm(request: HttpRequest) -> HttpResponse:
    form = forms.Email(request.POST or None)
    if not form.is_valid():
        return page(request, "No confirmation mail?", form)
    user = User.objects.filter(email=form.cleaned_data["email"], confirmed_at=None).first()
    if user is not None:
        _send_confirmation(request, user)
    return away(request, "/", MAIL_IS_COMING)


@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Show a button, and confirm by it: mail scanners open links."""
    if request.method == "GET":
        return page(request, "Confirm your address", forms.forms.Form(), "Confirm my address")
    facts = unseal("confirm", token, A_WEEK) or {"user": None, "email": None}
    open_ = User.objects.filter(pk=facts["user"], email=facts["email"], confirmed_at=None)
    # Anybody could have joined with this address and a password of their own, and waited for its
    # owner to confirm it. So the password stays only where whoever knows it is logged in here.
    is_known = request.user.pk is not None and request.user.pk == facts["user"]
    cleared = {} if is_known else {"password": make_password(None)}
    if not open_.update(confirmed_at=timezone.now(), **cleared):
        return away(request, "/", BAD_LINK, is_error=True)
    if not is_known:
        Session.objects.filter(user=facts["user"]).delete()
        return away(request, "/", CLEARED)
    return away(request, "/", "Your address is confirmed.")


@require_http_methods(["GET", "POST"])
def ask_to_reset(request: HttpRequest) -> HttpResponse:
    form = forms.Email(request.POST or None)
    if not form.is_valid():
        return page(request, "Forgot your password?", form, "Send the link")
    user = User.objects.filter(email=form.cleaned_data["email"]).first()
    if user is not None:
        link = link_to(request, f"/users/reset_password/{user.pk}~{resets.make_token(user)}")
        deliver(user.email, "Reset your password", f"Set a new password here:\n\n{link}\n")
    return away(request, "/", MAIL_IS_COMING)


@require_http_methods(["GET", "POST"])
def reset(request: HttpRequest, token: str) -> HttpResponse:
    key, _, secret = token.partition("~")
    is_key = key.isascii() and key.isdecimal() and len(key) < LONGEST_KEY
    user = User.objects.filter(pk=key).first() if is_key else None
    if user is None or not resets.check_token(user, secret):
        return away(request, "/", BAD_LINK, is_error=True)
    form = forms.NewPassword(request.POST or None)
    if not form.is_valid():
        return page(request, "Set a new password", form, "Set the password")
    _set_password(user, form.cleaned_data["password"])
    return away(request, "/users/log_in", "Your password is changed. You can log in now.")


@login_required
@require_http_methods(["GET", "POST"])
def settings(request: HttpRequest) -> HttpResponse:
    action = request.POST.get("action")
    email = forms.ChangeEmail(request.user, request.POST if action == "update_email" else None)
    new = forms.ChangePassword(request.user, request.POST if action == "update_password" else None)
    if email.is_valid():
        return _send_link(request, email.cleaned_data["email"])
    if new.is_valid():
        _set_password(request.user, new.cleaned_data["password"])
        update_session_auth_hash(request, request.user)
        return away(request, "/users/settings", "Your password is changed.")
    facts = {"forms": [("update_email", email), ("update_password", new)]}
    facts["devices"] = Session.objects.filter(user=request.user).count()
    return render(request, "settings.html", facts, status=422 if request.POST else 200)


@login_required
def confirm_email(request: HttpRequest, token: str) -> HttpResponse:
    facts = unseal("change email", token, A_WEEK) or {}
    is_own = (facts.get("user"), facts.get("email")) == (request.user.pk, request.user.email)
    try:
        with transaction.atomic():
            mine = User.objects.filter(pk=request.user.pk, email=request.user.email)
            changed = is_own and mine.update(email=facts["to"], confirmed_at=timezone.now())
    except IntegrityError:  # taken since the mail was sent
        changed = 0
    if not changed:
        return away(request, "/users/settings", BAD_LINK, is_error=True)
    return away(request, "/users/settings", "Your address is changed.")


def _set_password(user: Any, password: str) -> None:
    """Set the password, and log out everywhere."""
    user.set_password(password)
    user.save(update_fields=["password"])
    Session.objects.filter(user=user).delete()


def _send_confirmation(request: HttpRequest, user: User) -> None:
    token = seal("confirm", user=user.pk, email=user.email)
    link = link_to(request, f"/users/confirm/{token}")
    deliver(user.email, "Confirm your address", f"Confirm your address here:\n\n{link}\n")


def _send_link(request: HttpRequest, to: str) -> HttpResponse:
    token = seal("change email", user=request.user.pk, email=request.user.email, to=to)
    link = link_to(request, f"/users/settings/confirm_email/{token}")
    deliver(to, "Change your address", f"Use this address from now on:\n\n{link}\n")
    return away(request, "/users/settings", f"We sent a link to {to}.")
