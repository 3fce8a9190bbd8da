from django.contrib.auth.models import AbstractUser
from django.db import models
from simple_history.models import HistoricalRecords

from efface import (
    Clear,
    Placeholder,
    Redact,
    Replace,
    ReplaceMentions,
    data_subject,
    on_leaving,
)
from efface.django import Rules


class Person(AbstractUser):
    deleted_at = models.DateTimeField(null=True)
    history = HistoricalRecords()

    efface = Rules(
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


class Post(models.Model):
    author = models.ForeignKey(Person, models.PROTECT)
    body = models.TextField()
    history = HistoricalRecords()

    efface = Rules(
        on_leaving(Redact(), via="author"), personal={"body": ReplaceMentions("a former member")}
    )
