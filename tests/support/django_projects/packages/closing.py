"""Runs in a process of its own: closes Ada, and prints what is left of her as JSON."""

import json
import os
from datetime import timedelta

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.support.django_projects.packages.settings"

import django

django.setup()

from allauth.account.internal.flows.login import record_authentication
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.test import RequestFactory
from django.utils import timezone
from rest_framework.authtoken.models import Token
from rest_framework.serializers import (
    ListSerializer,
    ModelSerializer,
    PrimaryKeyRelatedField,
    RelatedField,
    Serializer,
    SlugRelatedField,
)
from rest_framework.test import APIRequestFactory
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken, SlidingToken
from rest_framework_simplejwt.views import TokenRefreshSlidingView, TokenRefreshView

from efface.django import close_account
from efface.django.page.recent_logins import is_recent
from efface.django.policy.erasers import find_problems
from tests.support.django_projects.packages.models import Notice, Person, Post


class Written(ModelSerializer):
    class Meta:
        model = Post
        fields = ("author", "body")


class Named(Written):
    author = SlugRelatedField("username", queryset=Person.objects.all())


class Letter(Serializer):
    """With the post inside, whole and in part."""

    post = Written()
    by = PrimaryKeyRelatedField(source="post.author", queryset=Person.objects.all())


class Letters(Serializer):
    posts = Written(many=True)


class Matched(ListSerializer):
    """Finds the post of each row that is sent, as the documentation of the package has it."""

    def run_child_validation(self, data):
        self.child.instance = Post.objects.get(pk=data["pk"])
        return super().run_child_validation(data)


class MatchedLetters(Serializer):
    posts = Matched(child=Written())


class Shelf:
    """Finds things, but not in a database."""

    def get(self, pk):
        return f"thing {pk}"

    def all(self):
        return self


class OnShelf(RelatedField):
    def to_internal_value(self, data):
        return self.get_queryset().get(pk=data)


class Kept(Written):
    thing = OnShelf(queryset=Shelf(), write_only=True)

    class Meta(Written.Meta):
        fields = ("body", "thing")


def person(name):
    made = Person.objects.create_user(name, f"{name}@example.org", "secret", last_name=name)
    EmailAddress.objects.create(user=made, email=f"{name}.second@example.org")
    account = SocialAccount.objects.create(user=made, provider="x", uid=name)
    SocialToken.objects.create(account=account, token=f"{name}-token")
    Authenticator.objects.create(user=made, type="totp", data={"secret": name})
    UserSession.objects.create(
        user=made,
        session_key=name,
        ip="10.0.0.1",
        user_agent=name,
        created_at=timezone.now(),
        last_seen_at=timezone.now() - timedelta(hours=1),
    )
    Token.objects.create(user=made)
    post = Post.objects.create(author=made, body=f"by {name}")
    post.body = f"again by {name}"
    post.save()
    put_up(Notice(text="quiet hours"), made)
    return made, RefreshToken.for_user(made)


def put_up(thing, by):
    """Save it as simple-history has it done by somebody."""
    thing._history_user = by
    thing.save()


def refreshed(token):
    """What the view of simplejwt answers."""
    request = APIRequestFactory().post("/refresh", {"refresh": str(token)})
    return TokenRefreshView.as_view()(request).status_code


def refreshed_sliding(token):
    request = APIRequestFactory().post("/refresh", {"token": str(token)})
    return TokenRefreshSlidingView.as_view()(request).status_code


def is_taken(post, author):
    """Whether somebody may send a post back with this author, by key and by name."""
    by_key = Written(post, data={"author": author.pk, "body": "-"}).is_valid()
    by_name = Named(post, data={"author": author.username, "body": "-"}).is_valid()
    return [by_key, by_name]


def is_taken_inside(post, author):
    """Whether a serializer takes this author for the post in what it is about."""
    sent = {"post": {"author": author.pk, "body": "-"}, "by": author.pk}
    several = {"posts": [{"pk": post.pk, "author": author.pk, "body": "-"}]}
    return [
        Letter({"post": post}, data=sent).is_valid(),
        Letter({"post": None}, data=sent).is_valid(),
        Letters({"posts": [post]}, data=several).is_valid(),
        MatchedLetters(data=several).is_valid(),
    ]


def thing_of(post):
    """What is found by a field over no database."""
    sent = Kept(post, data={"body": "-", "thing": 7})
    sent.is_valid(raise_exception=True)
    return sent.validated_data["thing"]


def has_recent_login(user, **confirmed):
    """Whether the page takes what allauth has noted in a session as a proof."""
    request = RequestFactory().get("/account/close")
    request.user, request.session = user, SessionStore()
    if confirmed:
        record_authentication(request, user, method="mfa", **confirmed)
    # In somebody else's session the record would say nothing.
    return is_recent(request)


def is_refused(token):
    try:
        RefreshToken(str(token))
    except TokenError:
        return True
    return False


def owned(models, one):
    return {model.__name__: model.objects.filter(user=one).count() for model in models}


call_command("migrate", run_syncdb=True, verbosity=0)
(ada, blacklisted), (grace, hers) = person("adalovelace"), person("gracehopper")
another = RefreshToken.for_user(ada)
sliding = [SlidingToken.for_user(ada), SlidingToken.for_user(grace)]
sliding_before = [refreshed_sliding(each) for each in sliding]
put_up(Post.objects.get(author=grace), ada)
blacklisted.blacklist()
recent = {
    "never": has_recent_login(ada),
    "logged in": has_recent_login(ada, reauthenticated=False),
    "confirmed": has_recent_login(ada, reauthenticated=True),
}
undecided = [str(problem) for problem in find_problems("default")]
ada_was = ada.pk
receipt = close_account(ada, actor="test")
MODELS = [EmailAddress, SocialAccount, Authenticator, UserSession, Token]
# Forward, a post still leads to who has left.
written = Post.objects.filter(author_id=ada_was).first()
ada_is = written.author.username if written else "adalovelace"
print(
    json.dumps(
        {
            "problems": undecided,
            "ada": owned(MODELS, ada),
            "grace": owned(MODELS, grace),
            "tokens": list(OutstandingToken.objects.order_by("pk").values_list("user", flat=True)),
            "refreshed": [refreshed(another), refreshed(hers)],
            "sliding": [sliding_before, [refreshed_sliding(each) for each in sliding]],
            "taken": [is_taken(post, post.author) for post in Post.objects.order_by("pk")],
            "taken anew": is_taken(
                Post.objects.get(author=grace), Person(ada_was, username=ada_is)
            ),
            "taken inside": [
                is_taken_inside(post, post.author) for post in Post.objects.order_by("pk")
            ],
            "taken anew inside": is_taken_inside(
                Post.objects.get(author=grace), Person(ada_was, username=ada_is)
            ),
            "thing": thing_of(Post.objects.get(author=grace)),
            "recent": recent,
            "by": sorted(
                {str(made.history_user_id) for made in Post.history.filter(author_id=grace.pk)}
            ),
            "notices": Notice.history.count(),
            "ada_is": str(ada_was),
            "refused": [is_refused(blacklisted), is_refused(hers)],
            "history": [
                Person.history.filter(id=ada.pk).count(),
                Post.history.filter(author_id=ada.pk).count(),
                Person.history.filter(id=grace.pk).count() > 0,
                Post.history.filter(author_id=grace.pk).count() > 0,
            ],
            "found": [f"{found.table}.{found.column}" for found in receipt.search.findings],
        }
    )
)
