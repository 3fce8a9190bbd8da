"""Add the permission to delete users whose records the policy retains."""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    """Change the permissions of the model. No table changes."""

    dependencies: ClassVar = [("efface", "0003_tombstone")]
    operations: ClassVar = [
        migrations.AlterModelOptions(
            name="closing",
            options={
                "default_permissions": ("view",),
                "permissions": [
                    ("close_account", "Can close accounts"),
                    ("override_retention", "Can delete users with retained records"),
                ],
                "verbose_name": "account closure",
                "verbose_name_plural": "account closures",
            },
        ),
    ]
