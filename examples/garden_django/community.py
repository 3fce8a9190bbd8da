"""The community of the other garden moves in: the same members with the same rows."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from garden.community import ADA_ID, HASHED_PASSWORD, Row, rows_of
from garden_django import models
from garden_django.sessions import SessionStore

RENAMED = {"hashed_password": "password"}
LEFT_OUT = {"updated_at"}


@transaction.atomic
def plant(*, now: datetime) -> None:
    """Fill the empty tables of a garden."""
    # Django writes the name of the hasher in front.
    for table, rows in rows_of(now, f"argon2{HASHED_PASSWORD}"):
        if table.__name__ == "UserToken":
            continue
        model = getattr(models, table.__name__)
        model.objects.bulk_create(_objects(model, rows))
    for device in ("tablet", "library computer"):
        session = SessionStore()
        session.update({"_auth_user_id": str(ADA_ID), "device": device})
        session.set_expiry(timedelta(days=14))
        session.save()


def _objects(model: Any, rows: list[Row]) -> Iterator[Any]:
    for row in rows:
        yield model(**{RENAMED.get(k, k): value for k, value in row.items() if k not in LEFT_OUT})
