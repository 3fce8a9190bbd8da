"""People with 52 rows in seven tables."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models

from efface import Clear, Delete, Placeholder, Redact, Replace, Revoke, data_subject, on_close
from efface.django import Rules


class Person(AbstractBaseUser):
    """Somebody with an account."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=80, null=True)
    deleted_at = models.DateTimeField(null=True)

    USERNAME_FIELD = "email"
    efface = Rules(
        data_subject(identifiers=["email", "name"]),
        personal={
            "email": Placeholder.email(),
            "name": Clear(),
            "password": Replace(""),
            "last_login": Clear(),
        },
    )


class OwnedBy(models.Model):
    """A row of somebody's."""

    person = models.ForeignKey(Person, models.PROTECT)

    class Meta:
        """No table of its own."""

        abstract = True


class Login(OwnedBy):
    """A device that is signed in."""

    token = models.CharField(max_length=40)
    efface = Rules(on_close(Revoke(), via="person"))


class Address(OwnedBy):
    """A place to deliver to."""

    street = models.CharField(max_length=80)
    efface = Rules(on_close(Delete(), via="person"))


class Post(OwnedBy):
    """A text that stays, without its title."""

    title = models.CharField(max_length=80)
    efface = Rules(on_close(Redact(), via="person"), personal={"title": Replace("")})


class Comment(OwnedBy):
    """A comment that stays, without a name."""

    name = models.CharField(max_length=80, null=True)
    efface = Rules(on_close(Redact(), via="person"), personal={"name": Clear()})


class Order(OwnedBy):
    """An order that stays, without its note."""

    note = models.TextField(null=True)
    efface = Rules(on_close(Redact(), via="person"), personal={"note": Clear()})


class Event(OwnedBy):
    """Something that happened, from an address that goes."""

    ip = models.CharField(max_length=40, null=True)
    efface = Rules(on_close(Redact(), via="person"), personal={"ip": Clear()})


ROWS = (
    (Login, 3, {"token": "a token"}),
    (Address, 2, {"street": "Main Street 1"}),
    (Post, 12, {"title": "a title"}),
    (Comment, 16, {"name": "a name"}),
    (Order, 8, {"note": "a note"}),
    (Event, 10, {"ip": "192.0.2.1"}),
)
