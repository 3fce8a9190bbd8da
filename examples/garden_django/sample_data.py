"""The community of the other garden moves in: the same members with the same rows."""

from datetime import datetime
from typing import Any

from django.core.management.color import no_style
from django.db import connection, transaction

from garden.sample_data import HASHED_PASSWORD, rows_of
from garden_django import models

RENAMED = {"hashed_password": "password"}


@transaction.atomic
def plant(*, now: datetime) -> None:
    """Fill the empty tables of a garden."""
    # Django writes the name of the hasher in front.
    for table, rows in rows_of(now, f"argon2{HASHED_PASSWORD}"):
        model: Any = getattr(models, table.__name__)
        model.objects.bulk_create(
            model(**{RENAMED.get(name, name): value for name, value in row.items()}) for row in rows
        )
        _count_on(model)


def _count_on(model: Any) -> None:
    """Let the next key be one that is free: the rows brought theirs along."""
    for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
        with connection.cursor() as cursor:
            cursor.execute(statement)
