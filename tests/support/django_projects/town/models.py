"""A town in which every way to refer to a person occurs once."""

import uuid

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models

from efface import (
    Basis,
    Clear,
    Delete,
    MatchBy,
    Placeholder,
    Redact,
    Replace,
    ReplaceMentions,
    Retain,
    Unlink,
    data_subject,
    no_personal_data,
    on_close,
    personal,
)
from efface.django import Rules

PERSON = settings.AUTH_USER_MODEL


class Stamped(models.Model):
    created_at = models.DateTimeField(auto_now_add=True)

    efface = Rules(not_personal=["created_at"])

    class Meta:
        abstract = True


class House(models.Model):
    street = models.CharField(max_length=40)

    efface = Rules(no_personal_data(reason="houses stay where they are"))


class Person(AbstractUser):
    email = models.EmailField(unique=True)
    nick = models.CharField(max_length=40, db_column="nickName", null=True)
    friends = models.ManyToManyField("self")
    home = models.OneToOneField(House, models.CASCADE, null=True, related_name="resident")
    deleted_at = models.DateTimeField(null=True, blank=True)

    efface = Rules(
        data_subject(identifiers=["email", "username", "nick", "last_name"]),
        personal={
            "email": Placeholder.email(),
            "username": Placeholder(),
            "nick": Clear(),
            "password": Replace(""),
            "first_name": Replace(""),
            "last_name": Replace("former resident"),
            "last_login": Clear(),
            "is_active": Replace(False),
        },
        not_personal=["is_staff", "is_superuser", "date_joined", "home"],
        through={
            "friends": [
                on_close(Delete(), via="from_person"),
                on_close(Delete(), via="to_person"),
            ],
        },
    )

    @property
    def display_name(self):
        return "a former resident" if self.deleted_at else self.username

    def __str__(self):
        return self.display_name


class Neighbor(Person):
    class Meta:
        proxy = True


class Trader(Person):
    """Multi-table inheritance: a row of its own with the person's key."""

    vat = models.CharField(max_length=20, default="")
    preferences = models.JSONField(default=dict, null=True)

    efface = Rules(
        on_close(Redact(), via="person_ptr"),
        personal={"vat": Replace(""), "preferences": Clear()},
    )


class Tag(models.Model):
    slug = models.SlugField(unique=True)
    place = models.IntegerField(null=True)

    efface = Rules(no_personal_data(reason="words that everybody shares"))

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["place"], deferrable=models.Deferrable.IMMEDIATE, name="tag_place"
            ),
        )


class Post(Stamped):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    author = models.ForeignKey(PERSON, models.PROTECT, related_name="posts")
    editor = models.ForeignKey(
        PERSON, models.DO_NOTHING, null=True, db_constraint=False, related_name="+"
    )
    body = models.TextField()
    notes = models.JSONField(null=True)
    price = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    tags = models.ManyToManyField(Tag)

    efface = Rules(
        on_close(Redact(), via="author"),
        on_close(Redact(), via="editor"),
        personal={
            "body": personal(ReplaceMentions("a former member"), via="author"),
            "notes": personal(ReplaceMentions("a former member"), via="author"),
            "editor": personal(Unlink(), via="editor_id"),
        },
        not_personal=["price"],
        through={"tags": no_personal_data(reason="subjects of posts")},
    )

    class Meta:
        db_table = "town_posts"


class Comment(models.Model):
    post = models.ForeignKey(Post, models.CASCADE)
    text = models.TextField()

    efface = Rules(on_close(Redact(), via="post.author"), personal={"text": Replace("")})


class Badge(models.Model):
    """Refers to a unique column that is no key."""

    holder = models.ForeignKey(PERSON, models.CASCADE, to_field="email", db_column="held_by")
    title = models.CharField(max_length=20)

    efface = Rules(on_close(Delete(), via="holder"))


class Line(models.Model):
    """A primary key of two columns."""

    pk = models.CompositePrimaryKey("owner_id", "number")
    owner = models.ForeignKey(PERSON, models.CASCADE)
    number = models.IntegerField()
    text = models.CharField(max_length=50)

    efface = Rules(on_close(Redact(), via="owner"), personal={"text": Replace("")})


class Receipt(models.Model):
    person = models.ForeignKey(PERSON, models.PROTECT)
    issued_on = models.DateField()
    name = models.CharField(max_length=80)

    efface = Rules(
        on_close(
            Retain("P10Y", basis=Basis.LEGAL_OBLIGATION, reason="tax law", start="issued_on"),
            via="person",
        )
    )


class Bill(models.Model):
    """A record that Django would delete with the person."""

    payer = models.ForeignKey(PERSON, models.CASCADE)
    amount = models.IntegerField()

    efface = Rules(
        on_close(Retain("P10Y", basis=Basis.LEGAL_OBLIGATION, reason="tax law"), via="payer")
    )


class Letter(models.Model):
    """Signed with an address, without a foreign key."""

    address = models.EmailField(db_index=True)

    efface = Rules(on_close(Delete(), via=MatchBy("address", equals="town.Person.email")))


class Register(models.Model):
    """A table that the application did not make."""

    who = models.ForeignKey(PERSON, models.DO_NOTHING, db_column="who_id")
    remark = models.TextField(null=True)

    efface = Rules(on_close(Redact(), via="who"), personal={"remark": Clear()})

    class Meta:
        managed = False
        db_table = "old_register"


class Weather(models.Model):
    """A view that was never made here."""

    sky = models.TextField()

    efface = Rules(no_personal_data(reason="the weather of the town"))

    class Meta:
        managed = False
        db_table = "weather_of_today"


class Ticket(models.Model):
    """What may stand in it, and how often, is up to constraints."""

    person = models.ForeignKey(PERSON, models.CASCADE)
    phase = models.CharField(max_length=20, default="open")
    code = models.CharField(max_length=20)
    places = models.PositiveIntegerField(default=1)

    efface = Rules(
        on_close(Redact(), via="person"),
        personal={"phase": Replace("closed"), "code": Replace("gone"), "places": Replace(0)},
    )

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(phase__in=["open", "closed"]), name="ticket_phase"
            ),
            models.UniqueConstraint(
                fields=["code"], condition=models.Q(phase="open"), name="ticket_code"
            ),
        )
