"""Add the permission to close accounts in the admin."""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    """Change the permissions of the model. No table changes."""

    dependencies: ClassVar = [("efface", "0001_closings")]
    operations: ClassVar = [
        migrations.AlterModelOptions(
            name="closing",
            options={
                "default_permissions": ("view",),
                "permissions": [("close_account", "Can close accounts")],
                "verbose_name": "account closure",
                "verbose_name_plural": "account closures",
            },
        ),
    ]
