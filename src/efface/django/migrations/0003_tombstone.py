"""Add ``deleted_at`` to a user model that the project cannot edit."""

from typing import ClassVar

from django.conf import settings
from django.db import migrations

from efface.django.database.migration_operations import AddDeletedAt
from efface.django.schema.deleted_at_field import user_model_label


class Migration(migrations.Migration):
    """Add a column to one table of another app, if Efface adds the field to it."""

    dependencies: ClassVar = [
        ("efface", "0002_permissions"),
        migrations.swappable_dependency(user_model_label() or settings.AUTH_USER_MODEL),
    ]
    operations: ClassVar = [AddDeletedAt()]
