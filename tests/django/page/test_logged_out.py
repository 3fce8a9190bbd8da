"""Whoever has left is signed out everywhere, from the first commit on."""

from types import SimpleNamespace

import pytest

from tests.django.conftest import ADA
from tests.django.hiding.test_queries import Here

BACKENDS = (
    "django.contrib.auth.backends.ModelBackend",
    "django.contrib.auth.backends.AllowAllUsersModelBackend",
    "tests.support.django_projects.town.urls.ByAddress",
)
STORES = ("db", "cache", "cached_db", "signed_cookies")
PASSWORD = "a password of the town"
ENDED = {"type": "websocket.close", "code": 4401}


@pytest.fixture
def site(town):
    from django.test import override_settings

    with override_settings(DATABASE_ROUTERS=[Here(town.alias)], AUTHENTICATION_BACKENDS=BACKENDS):
        yield town


@pytest.fixture
def ada(site):
    found = site.person(**ADA)
    found.set_password(PASSWORD)
    found.save()
    return found


def browser(user, backend=BACKENDS[0]):
    from django.test import Client

    client = Client()
    client.force_login(user, backend)
    return client


def keep_signing_in(site, user):
    """As where the rules let the password and `is_active` be: hiding alone has to hold."""
    person = site.Person.get(pk=user.pk)
    site.Person.filter(pk=user.pk).update(is_active=True, password=user.password)
    return person


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_next_request_is_nobodys(site, ada, store, backend):
    from django.test import override_settings

    with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{store}"):
        laptop, phone = browser(ada, backend), browser(ada, backend)
        assert laptop.get("/home").content == b"ada@example.org"

        site.close(ada.pk)
        keep_signing_in(site, ada)

        assert [each.get("/home").status_code for each in (laptop, phone)] == [302, 302]


def test_sessions_in_the_database_are_removed_and_others_stay(site, ada):
    from django.contrib.sessions.models import Session

    theirs, other = browser(ada), browser(site.person())
    assert Session.objects.count() == 2

    site.close(ada.pk)

    assert [session.pk for session in Session.objects.all()] == [other.session.session_key]
    assert other.get("/home").status_code == 200
    assert theirs.get("/home").status_code == 302


def test_sessions_that_a_crash_left_are_ended_with_what_is_due(site, ada, settings_of):
    """The process died between the commit and what follows: nothing was sent, nothing ended."""
    from datetime import timedelta

    from django.contrib.sessions.models import Session
    from django.db import transaction

    from efface.django import eraser, sqlalchemy_connection
    from efface.django.accounts import run_pending

    browser(ada)
    other = browser(site.person())
    with transaction.atomic(using=site.alias), sqlalchemy_connection(site.alias) as bind:
        receipt = eraser(site.alias).close_account(bind, ada.pk, actor="self-service")
    assert Session.objects.count() == 2

    with settings_of(CLOCK=lambda: receipt.closed_at + timedelta(hours=1)):
        run_pending(using=site.alias)

    assert [session.pk for session in Session.objects.all()] == [other.session.session_key]


def test_nobody_can_log_in_to_a_closed_account(site, ada):
    from django.contrib.auth import authenticate

    assert authenticate(username="ada.lovelace", password=PASSWORD) == ada
    assert authenticate(address="ada@example.org") == ada

    site.close(ada.pk)
    left = keep_signing_in(site, ada)

    assert authenticate(username=left.username, password=PASSWORD) is None
    assert authenticate(address=left.email) is None


def test_a_log_in_that_was_under_way_is_refused(site, ada):
    """Between the password and the session the account was closed."""
    from django.test import Client

    from efface.errors import ClosedObjectError

    site.close(ada.pk)

    with pytest.raises(ClosedObjectError):
        Client().force_login(ada, BACKENDS[0])


def test_a_link_to_a_new_password_leads_nowhere(site, ada):
    from django.contrib.auth.forms import PasswordResetForm
    from django.contrib.auth.tokens import default_token_generator
    from django.contrib.auth.views import PasswordResetConfirmView
    from django.utils.encoding import force_bytes
    from django.utils.http import urlsafe_base64_encode

    link = urlsafe_base64_encode(force_bytes(ada.pk))
    token = default_token_generator.make_token(ada)
    view = PasswordResetConfirmView()
    assert view.get_user(link) == ada

    site.close(ada.pk)
    left = keep_signing_in(site, ada)

    assert view.get_user(link) is None
    assert not default_token_generator.check_token(left, token)
    assert list(PasswordResetForm().get_users(left.email)) == []


def test_a_user_that_is_reached_by_a_token_is_not_signed_in(site, ada):
    """Lookups of tokens follow a reference to the user, which shows who has left."""
    post = site.Post.create(author=ada, body="-")
    assert post.author.is_authenticated

    site.close(ada.pk)
    keep_signing_in(site, ada)

    assert not site.Post.select_related("author").get(pk=post.pk).author.is_authenticated
    assert not site.Post.get(pk=post.pk).author.is_authenticated
    some = site.Post.select_related("author").only("body", "author__email").get(pk=post.pk)
    assert not some.author.is_authenticated


def test_nor_is_the_user_of_the_request_that_has_closed_the_account(site, ada):
    assert ada.is_authenticated

    site.close(ada)

    assert not ada.is_authenticated


def test_the_name_of_whoever_left_can_be_taken_again(site, ada):
    from django.core.management import call_command

    site.close(ada.pk)
    call_command(
        "createsuperuser",
        "--noinput",
        username="ada.lovelace",
        email="ada@example.org",
        database=site.alias,
        verbosity=0,
    )

    assert site.Person.filter(username="ada.lovelace", is_superuser=True).count() == 1


def test_the_admin_lists_and_suggests_open_accounts_only(site, ada):
    grace = site.person(is_staff=True, is_superuser=True)
    post = site.Post.create(author=ada, body="-")
    admin = browser(grace)
    question = {"app_label": "town", "model_name": "post", "field_name": "author", "term": "@"}

    def suggested():
        answer = admin.get("/admin/autocomplete/", question).json()
        return [each["id"] for each in answer["results"]]

    assert len(suggested()) == 2
    site.close(ada.pk)

    assert suggested() == [str(grace.pk)]
    page = admin.get("/admin/town/person/").content.decode()
    assert "1 user" in page
    assert "former resident" not in page
    assert admin.get(f"/admin/town/person/{ada.pk}/change/").status_code == 302
    posts = admin.get("/admin/town/post/").content.decode()
    assert str(post.pk) in posts
    assert "a former resident" in posts


def test_a_thread_shows_a_label_and_no_placeholder(site, ada):
    from django.test import Client

    site.Post.create(author=ada, body="-")

    site.close(ada.pk)
    page = Client().get("/thread").content.decode()

    assert "<p>a former resident: a former resident</p>" in page
    assert "anonymized-" not in page


# ---------------------------------------------------------------- packages


@pytest.mark.slow
def test_rest_framework_finds_and_admits_nobody_who_left(site, ada):
    pytest.importorskip("rest_framework")
    from rest_framework.permissions import IsAuthenticated
    from rest_framework.serializers import ModelSerializer, PrimaryKeyRelatedField, ValidationError

    class Written(ModelSerializer):
        class Meta:
            model = site.models.Post
            fields = ("author",)

    post = site.Post.create(author=ada, body="-")
    field = PrimaryKeyRelatedField(queryset=site.models.Person.objects.all())
    assert field.to_internal_value(ada.pk) == ada

    site.close(ada.pk)
    keep_signing_in(site, ada)

    with pytest.raises(ValidationError):
        field.to_internal_value(ada.pk)
    assert not Written(data={"author": ada.pk}).is_valid()
    assert Written(site.Post.get(pk=post.pk)).data == {"author": ada.pk}
    request = SimpleNamespace(user=site.Post.get(pk=post.pk).author)
    assert not IsAuthenticated().has_permission(request, None)


@pytest.mark.slow
def test_a_token_of_simplejwt_finds_nobody_and_one_without_a_lookup_lives_on(site, ada):
    pytest.importorskip("rest_framework_simplejwt")
    from rest_framework_simplejwt.authentication import (
        JWTAuthentication,
        JWTStatelessUserAuthentication,
    )
    from rest_framework_simplejwt.exceptions import AuthenticationFailed
    from rest_framework_simplejwt.serializers import TokenRefreshSerializer
    from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

    token, refresh = AccessToken.for_user(ada), RefreshToken.for_user(ada)
    assert JWTAuthentication().get_user(token) == ada

    site.close(ada.pk)
    keep_signing_in(site, ada)

    with pytest.raises(AuthenticationFailed):
        JWTAuthentication().get_user(token)
    with pytest.raises(site.models.Person.DoesNotExist):
        TokenRefreshSerializer().validate({"refresh": str(refresh)})
    # Named in docs/how-to/django-logout.md: it asks no database, so it ends when it expires.
    assert JWTStatelessUserAuthentication().get_user(token).is_authenticated


@pytest.fixture
def layers(django):
    """The real Channels, with its layer in memory."""
    pytest.importorskip("channels")
    from django.test import override_settings

    from efface.django.channels import connect_signals
    from efface.django.signals import account_closed

    memory = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    with override_settings(CHANNEL_LAYERS=memory):
        connect_signals()
        yield
        account_closed.disconnect(dispatch_uid="efface.django.channels")


@pytest.mark.slow
def test_open_sockets_of_the_person_end_with_the_commit(site, ada, layers):
    from asgiref.sync import async_to_sync, sync_to_async

    grace = site.person()

    async def story():
        laptop, phone, other = Socket(ada), Socket(ada), Socket(grace)
        for each in (laptop, phone, other):
            assert (await each.open())["type"] == "websocket.accept"
            assert await each.echo() == "1"
        await sync_to_async(site.close)(ada.pk)

        for each in (laptop, phone):
            assert await each.heard() == ENDED
            await each.line.wait(timeout=5)
        assert await other.echo() == "1"
        await other.close()

    async_to_sync(story)()


@pytest.mark.slow
def test_a_socket_that_opens_during_the_closing_ends_at_once(site, ada, layers):
    from asgiref.sync import async_to_sync

    site.close(ada.pk)

    async def story():
        late = Socket(ada)
        assert await late.open() == ENDED
        await late.line.wait(timeout=5)

    async_to_sync(story)()


@pytest.mark.slow
def test_a_closing_that_is_undone_ends_no_socket(site, ada, layers):
    from asgiref.sync import async_to_sync, sync_to_async
    from django.db import transaction

    def change_ones_mind():
        with transaction.atomic(using=site.alias):
            site.close(ada.pk)
            transaction.set_rollback(True, using=site.alias)

    async def story():
        theirs = Socket(ada)
        await theirs.open()
        await sync_to_async(change_ones_mind)()
        assert await theirs.echo() == "1"
        await theirs.close()

    async_to_sync(story)()


class Socket:
    """One connection of a user, which is answered with what it sends."""

    def __init__(self, user):
        from asgiref.testing import ApplicationCommunicator
        from channels.generic.websocket import AsyncJsonWebsocketConsumer

        from efface.django.channels import CloseSocketsMiddleware

        class Echo(AsyncJsonWebsocketConsumer):
            async def connect(self):
                await self.accept()

            async def receive_json(self, content):
                await self.send_json(content)

        scope = {"type": "websocket", "path": "/", "user": user}
        self.line = ApplicationCommunicator(CloseSocketsMiddleware(Echo.as_asgi()), scope)

    async def open(self):
        await self.line.send_input({"type": "websocket.connect"})
        return await self.heard()

    async def heard(self):
        return await self.line.receive_output(timeout=5)

    async def echo(self):
        await self.line.send_input({"type": "websocket.receive", "text": "1"})
        return (await self.heard())["text"]

    async def close(self):
        await self.line.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.line.wait(timeout=5)
