"""Members and their orders; which schema has which, the settings say."""

from django.contrib.auth.models import AbstractUser
from django.db import models

from efface import Clear, Placeholder, Redact, Replace, data_subject, on_close
from efface.django import Rules


class Member(AbstractUser):
    deleted_at = models.DateTimeField(null=True, blank=True)

    efface = Rules(
        data_subject(identifiers=["email"]),
        personal={
            "email": Placeholder.email(),
            "username": Placeholder(),
            **dict.fromkeys(["password", "first_name", "last_name"], Replace("")),
            "last_login": Clear(),
        },
        not_personal=["is_active", "is_staff", "is_superuser", "date_joined"],
    )

    class Meta:
        app_label = "tenants"


class Order(models.Model):
    # As in many a project of tenants, the database has no constraint between the schemas.
    buyer = models.ForeignKey(Member, models.PROTECT, db_constraint=False)
    note = models.TextField(null=True)

    efface = Rules(on_close(Redact(), via="buyer"), personal={"note": Clear()})

    class Meta:
        app_label = "tenants"
