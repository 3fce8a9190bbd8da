"""The table of people, through a model that django-safedelete hides who left from."""

from django.db import models
from safedelete.models import SafeDeleteModel


class Member(SafeDeleteModel):
    """Somebody with an account; the tombstone is the column that all sides have."""

    deleted_by_cascade = None
    password = models.CharField(max_length=128)
    last_login = models.DateTimeField(null=True)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=80, null=True)

    class Meta:
        """The table is Person's."""

        managed = False
        db_table = "district_person"
