"""Who may close accounts in the admin; closings themselves are only read."""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    """The permissions of the model; no table changes."""

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
