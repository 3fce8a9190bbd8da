import os

from django.contrib.auth.models import AbstractBaseUser
from django.db import models

from efface import Clear, Generic, OwnedBy, Placeholder, Redact, Replace, data_subject, on_close
from efface.django import Rules

CHILD_IS_PERSON = os.environ.get("FAMILY") == "child"
PERSONAL = {
    "email": Placeholder.email(),
    "name": Replace(""),
    "password": Replace(""),
    "last_login": Clear(),
}


class Account(AbstractBaseUser):
    """What all users have; other children than `Member` may come."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=40, default="")
    left_at = models.DateTimeField(null=True)

    USERNAME_FIELD = "email"
    person = Rules(
        data_subject(identifiers=["email", "name"], deleted_at="left_at"), personal=PERSONAL
    )
    ancestor = Rules(
        on_close(
            Redact(), via=OwnedBy(by="family.Member.account_ptr"), identifiers=["email", "name"]
        ),
        personal=PERSONAL,
        not_personal=["left_at"],
    )
    efface = ancestor if CHILD_IS_PERSON else person


class Member(Account):
    """A user of this site, with a row in both tables."""

    nick = models.CharField(max_length=40, default="")
    deleted_at = models.DateTimeField(null=True)

    person = Rules(data_subject(identifiers=["nick"]), personal={"nick": Replace("")})
    descendant = Rules(
        on_close(Redact(), via="account_ptr"),
        personal={"nick": Replace("")},
        not_personal=["deleted_at"],
    )
    efface = person if CHILD_IS_PERSON else descendant


class Staff(Account):
    """Another child of the same table."""

    desk = models.CharField(max_length=40, default="")

    efface = Rules(on_close(Redact(), via="account_ptr"), personal={"desk": Replace("")})


class Clerk(Account):
    """A child with a key of its own beside the link."""

    number = models.BigAutoField(primary_key=True)
    account_ptr = models.OneToOneField(Account, models.CASCADE, parent_link=True)
    counter = models.CharField(max_length=40, default="")

    efface = Rules(on_close(Redact(), via="account_ptr"), personal={"counter": Replace("")})


class Post(models.Model):
    author = models.ForeignKey(Member, models.PROTECT)
    body = models.TextField()

    efface = Rules(on_close(Redact(), via="author"), personal={"body": Replace("")})


class Neighbor(Member):
    """The same rows under another name."""

    class Meta:
        proxy = True


class Remark(models.Model):
    """About anything, as the admin's log is."""

    kind = models.ForeignKey("contenttypes.ContentType", models.CASCADE)
    key = models.TextField()
    text = models.TextField()

    about = Generic("kind", id_column="key", type="family.Member")
    efface = Rules(on_close(Redact(), via=about), personal={"text": Replace("")})

    class Meta:
        indexes = (models.Index(fields=["kind", "key"]),)


class Note(models.Model):
    """Refers to the table that all users share."""

    holder = models.ForeignKey(Account, models.PROTECT)
    text = models.TextField()

    efface = Rules(on_close(Redact(), via="holder"), personal={"text": Replace("")})


class Card(models.Model):
    """Has the key of the member whom it is of."""

    member = models.OneToOneField(Member, models.CASCADE, primary_key=True)
    color = models.CharField(max_length=10, default="red")

    efface = Rules(on_close(Redact(), via="member"), not_personal=["color"])


class Letter(models.Model):
    """Goes to an account of whichever kind, and falls with it."""

    account = models.ForeignKey(Account, models.CASCADE)
    body = models.TextField(default="")

    efface = Rules(on_close(Redact(), via="account"), personal={"body": Replace("")})
