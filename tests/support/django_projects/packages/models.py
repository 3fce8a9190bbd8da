import os

from django.contrib.auth.models import AbstractUser
from django.db import models
from simple_history.models import HistoricalRecords

from efface import (
    Clear,
    Delete,
    Placeholder,
    Redact,
    Replace,
    ReplaceMentions,
    data_subject,
    no_personal_data,
    on_close,
)
from efface.django import Rules

PEOPLE_GO = os.environ.get("PEOPLE") == "go"


class Person(AbstractUser):
    deleted_at = models.DateTimeField(null=True)
    history = HistoricalRecords()

    goes = Rules(data_subject(Delete(), identifiers=["email", "username", "last_name"]))
    stays = Rules(
        data_subject(identifiers=["email", "username", "first_name", "last_name"]),
        personal={
            "email": Placeholder.email(),
            "username": Placeholder(),
            "password": Replace(""),
            "first_name": Replace(""),
            "last_name": Replace(""),
            "last_login": Clear(),
            "is_active": Replace(False),
        },
        not_personal=["is_staff", "is_superuser", "date_joined"],
    )
    efface = goes if PEOPLE_GO else stays


class Post(models.Model):
    author = models.ForeignKey(Person, models.CASCADE if PEOPLE_GO else models.PROTECT)
    body = models.TextField()
    history = HistoricalRecords()

    goes = Rules(on_close(Delete(), via="author"))
    stays = Rules(
        on_close(Redact(), via="author"), personal={"body": ReplaceMentions("a former member")}
    )
    efface = goes if PEOPLE_GO else stays


class Notice(models.Model):
    """About nobody, but somebody puts it up."""

    text = models.TextField()
    history = HistoricalRecords()

    efface = Rules(no_personal_data(reason="notices of the house"))
