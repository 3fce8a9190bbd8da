"""The garden's models, each with its rules for account closure.

Tables and columns are those of the other garden.
"""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower

from efface import (
    Basis,
    Clear,
    Delete,
    Placeholder,
    Redact,
    ReplaceMentions,
    Retain,
    Revoke,
    data_subject,
    no_personal_data,
    on_close,
)
from efface.django import Rules

FORMER_MEMBER = "a former member"


class Members(BaseUserManager["User"]):
    """Finds members by address, in upper or lower case."""

    def get_by_natural_key(self, email: str | None) -> "User":
        """Return the member with this address.

        Raises:
            User.DoesNotExist: no member has it.
        """
        # Both in the database: SQLite knows fewer capitals than Python.
        written = Lower(models.Value((email or "").strip()))
        return self.alias(lower=Lower("email")).get(lower=written)

    def locked(self, user_id: int) -> "User | None":
        """Return the member, locked against closing until the transaction ends, or none.

        While another transaction closes the account, this waits, and then finds no row.
        """
        return self.select_for_update().filter(pk=user_id).first()


class User(AbstractBaseUser):
    """A member, or the tombstone row of a closed account, which has no personal data."""

    email = models.EmailField(max_length=160, verbose_name="email address")
    name = models.TextField(null=True, blank=True)  # noqa: DJ001  # without a name it is NULL
    # Some have none: a link logs them in.
    password = models.TextField(null=True, db_column="hashed_password")  # noqa: DJ001
    confirmed_at = models.DateTimeField(null=True, verbose_name="date of confirmation")
    inserted_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True)

    last_login = None  # each login has a row of its own
    objects = Members()
    USERNAME_FIELD = "email"

    efface = Rules(
        data_subject(identifiers=["email", "name"], not_personal=["inserted_at", "updated_at"]),
        personal={
            "email": Placeholder.email(),
            "name": Clear(),
            "password": Clear(),
            "confirmed_at": Clear(),
        },
    )

    class Meta:
        db_table = "users"
        constraints: ClassVar = [models.UniqueConstraint(Lower("email"), name="ix_users_email")]
        indexes: ClassVar = [
            models.Index("id", name="ix_users_open", condition=models.Q(deleted_at=None))
        ]

    def __str__(self) -> str:
        """Return the key only: this ends up in logs."""
        return f"User {self.pk}"

    @property
    def display_name(self) -> str:
        """The name to show to others; a closed account has none."""
        return FORMER_MEMBER if self.deleted_at else self.name or "a member"

    @property
    def hashed_password(self) -> str | None:
        """What is stored of the password."""
        return self.password


class UserToken(models.Model):
    """A login, or a link that was sent by email; only a hash of the secret is kept."""

    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    token = models.BinaryField()
    context = models.TextField()
    sent_to = models.TextField(null=True)  # noqa: DJ001  # a login has no recipient
    inserted_at = models.DateTimeField()
    authenticated_at = models.DateTimeField(null=True)
    replaced_at = models.DateTimeField(null=True)
    browser_id = models.TextField(null=True)  # noqa: DJ001  # a link belongs to no browser

    efface = Rules(on_close(Revoke(), via="user", identifiers=["sent_to"]))

    class Meta:
        db_table = "users_tokens"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["context", "token"], name="users_tokens_once")
        ]

    def __str__(self) -> str:
        return f"UserToken {self.pk}"


class Plot(models.Model):
    """A plot in the garden. It becomes free when its holder's account is closed."""

    label = models.TextField(unique=True)
    crop = models.TextField()
    holder = models.ForeignKey(User, models.SET_NULL, null=True)

    efface = Rules(
        on_close(Redact(), via="holder", not_personal=["label", "crop"]),
        personal={"holder": Clear()},
    )

    class Meta:
        db_table = "plots"

    def __str__(self) -> str:
        return self.label


class PlotGroup(models.Model):
    """Members who look after some plots together."""

    name = models.TextField(unique=True)

    efface = Rules(no_personal_data(reason="it says what is grown together, and not by whom"))

    class Meta:
        db_table = "plot_groups"

    def __str__(self) -> str:
        return self.name


class PlotGroupMember(models.Model):
    """A membership in a group. It is deleted with the account."""

    pk = models.CompositePrimaryKey("group_id", "user_id")
    group = models.ForeignKey(PlotGroup, models.CASCADE, related_name="members")
    user = models.ForeignKey(User, models.CASCADE)
    is_organizer = models.BooleanField()

    efface = Rules(on_close(Delete(), via="user"))

    class Meta:
        db_table = "plot_group_members"

    def __str__(self) -> str:
        return f"PlotGroupMember {self.pk}"


class Post(models.Model):
    """A post on the notice board. It stays, and the author's name in it is replaced."""

    author = models.ForeignKey(User, models.PROTECT)
    title = models.TextField()
    body = models.TextField()
    inserted_at = models.DateTimeField()

    efface = Rules(
        on_close(Redact(), via="author", not_personal=["inserted_at"]),
        personal=dict.fromkeys(["title", "body"], ReplaceMentions(FORMER_MEMBER)),
    )

    class Meta:
        db_table = "posts"

    def __str__(self) -> str:
        return f"Post {self.pk}"


class Order(models.Model):
    """An order of seeds. Bookkeeping needs the row, and the note is removed."""

    user = models.ForeignKey(User, models.PROTECT)
    item = models.TextField()
    packets = models.IntegerField()
    note = models.TextField(null=True)  # noqa: DJ001  # who says nothing leaves it NULL
    ordered_at = models.DateTimeField()

    efface = Rules(
        on_close(Redact(), via="user"),
        personal={"note": Clear()},
        not_personal=["item", "packets", "ordered_at"],
    )

    class Meta:
        db_table = "orders"

    def __str__(self) -> str:
        return f"Order {self.pk}"


class Invoice(models.Model):
    """An invoice. Tax law requires name and address for ten years."""

    order = models.ForeignKey(Order, models.PROTECT)
    billing_name = models.TextField()
    billing_email = models.TextField()
    total_cents = models.IntegerField()
    issued_at = models.DateTimeField()

    efface = Rules(
        on_close(
            Retain(
                "P10Y",
                basis=Basis.LEGAL_OBLIGATION,
                reason="tax law",
                start="calendar-year-end",
            ),
            via="order.user",
        )
    )

    class Meta:
        db_table = "invoices"

    def __str__(self) -> str:
        return f"Invoice {self.pk}"
