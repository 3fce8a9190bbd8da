"""The garden's models, and beside each what becomes of it when a member leaves."""

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone

from efface import (
    Basis,
    Clear,
    Delete,
    Placeholder,
    Redact,
    Replace,
    ReplaceMentions,
    Retain,
    Revoke,
    data_subject,
    on_leaving,
    unrelated,
)
from efface.django import Rules

FORMER_MEMBER = "a former member"
USER = settings.AUTH_USER_MODEL


class Members(BaseUserManager["User"]):
    """Finds members by address, in upper or lower case."""

    def get_by_natural_key(self, email: str | None) -> "User":
        return self.get(email=(email or "").strip().lower())


class User(AbstractBaseUser):
    """A member, or what is left of one: a row that nobody can be recognized by."""

    email = models.EmailField(max_length=160, unique=True, verbose_name="e-mail address")
    name = models.TextField(null=True, blank=True)  # noqa: DJ001  # as in the other garden
    confirmed_at = models.DateTimeField(null=True, verbose_name="date of confirmation")
    inserted_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = Members()
    USERNAME_FIELD = "email"

    efface = Rules(
        data_subject(identifiers=["email", "name"]),
        personal={
            "email": Placeholder.email(),
            "name": Clear(),
            "password": Replace(""),
            "confirmed_at": Clear(),
            "last_login": Clear(),
        },
        not_personal=["inserted_at"],
    )

    class Meta:
        db_table = "users"

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        return FORMER_MEMBER if self.deleted_at else self.name or "a member"


class Session(AbstractBaseSession):
    """A log-in on one device; without a member it is somebody who only looks around."""

    user = models.ForeignKey(USER, models.CASCADE, null=True)

    efface = Rules(on_leaving(Revoke(), via="user"))

    class Meta:
        db_table = "sessions"
        verbose_name_plural = "log-ins"

    @classmethod
    def get_session_store_class(cls) -> type:
        from garden_django.sessions import SessionStore  # noqa: PLC0415  # it needs this model

        return SessionStore


class Plot(models.Model):
    """A bed in the garden; when its holder leaves, it is free for somebody else."""

    label = models.TextField(unique=True)
    crop = models.TextField()
    holder = models.ForeignKey(USER, models.SET_NULL, null=True)

    efface = Rules(
        on_leaving(Redact(), via="holder"),
        personal={"holder": Clear()},
        not_personal=["label", "crop"],
    )

    class Meta:
        db_table = "plots"
        verbose_name_plural = "the plot you hold"

    def __str__(self) -> str:
        return self.label


class PlotGroup(models.Model):
    """Members who look after some plots together."""

    name = models.TextField(unique=True)

    efface = Rules(unrelated(because="it says what is grown together, and not by whom"))

    class Meta:
        db_table = "plot_groups"

    def __str__(self) -> str:
        return self.name


class PlotGroupMember(models.Model):
    """That somebody is in a group; it goes with them."""

    group = models.ForeignKey(PlotGroup, models.CASCADE, related_name="members")
    user = models.ForeignKey(USER, models.CASCADE)
    is_organizer = models.BooleanField()

    efface = Rules(on_leaving(Delete(), via="user"))

    class Meta:
        db_table = "plot_group_members"
        verbose_name_plural = "the groups you are in"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["group", "user"], name="plot_group_members_once")
        ]

    def __str__(self) -> str:
        return f"{self.group_id}"


class Post(models.Model):
    """A post on the notice board; it stays, without its author's name in it."""

    author = models.ForeignKey(USER, models.PROTECT)
    title = models.TextField()
    body = models.TextField(verbose_name="text")
    inserted_at = models.DateTimeField()

    efface = Rules(
        on_leaving(Redact(), via="author"),
        personal=dict.fromkeys(["title", "body"], ReplaceMentions(FORMER_MEMBER)),
        not_personal=["inserted_at"],
    )

    class Meta:
        db_table = "posts"

    def __str__(self) -> str:
        return self.title


class Order(models.Model):
    """Seeds somebody ordered; the garden's accounts need the row, and the note goes."""

    user = models.ForeignKey(USER, models.PROTECT)
    item = models.TextField()
    packets = models.IntegerField()
    note = models.TextField(null=True)  # noqa: DJ001  # as in the other garden
    ordered_at = models.DateTimeField()

    efface = Rules(
        on_leaving(Redact(), via="user"),
        personal={"note": Clear()},
        not_personal=["item", "packets", "ordered_at"],
    )

    class Meta:
        db_table = "orders"

    def __str__(self) -> str:
        return self.item


class Invoice(models.Model):
    """An invoice; tax law wants it with name and address, for ten years."""

    order = models.ForeignKey(Order, models.PROTECT)
    billing_name = models.TextField()
    billing_email = models.TextField()
    total_cents = models.IntegerField()
    issued_at = models.DateTimeField()

    efface = Rules(
        on_leaving(
            Retain(
                "P10Y",
                basis=Basis.LEGAL_OBLIGATION,
                because="tax law",
                start="calendar-year-end",
            ),
            via="order.user",
        )
    )

    class Meta:
        db_table = "invoices"

    def __str__(self) -> str:
        return f"{self.pk}"
