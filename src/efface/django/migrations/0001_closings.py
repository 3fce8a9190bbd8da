"""Create the table of account closures."""

from django.db import migrations, models

from efface.django.database.migration_operations import CreateEffaceTables


class Migration(migrations.Migration):
    """Create the table as `efface.store` declares it, and add the model to Django's state."""

    initial = True
    dependencies = ()
    operations = (
        migrations.SeparateDatabaseAndState(
            database_operations=[CreateEffaceTables()],
            state_operations=[
                migrations.CreateModel(
                    name="Closing",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        (
                            "reference",
                            models.CharField(max_length=32, verbose_name="confirmation number"),
                        ),
                        ("subject", models.CharField(max_length=64)),
                        ("closed_at", models.DateTimeField(verbose_name="closed on")),
                        (
                            "actor",
                            models.CharField(max_length=200, verbose_name="requested by"),
                        ),
                        (
                            "policy",
                            models.CharField(max_length=64, verbose_name="digest of the policy"),
                        ),
                        ("receipt", models.TextField()),
                        (
                            "finalized_at",
                            models.DateTimeField(null=True, verbose_name="finalized on"),
                        ),
                    ],
                    options={
                        "db_table": "efface_closings",
                        "verbose_name": "account closure",
                        "verbose_name_plural": "account closures",
                        "indexes": [
                            models.Index(
                                fields=["subject", "closed_at"], name="ix_efface_closings_subject"
                            ),
                            models.Index(
                                fields=["id"],
                                name="ix_efface_closings_pending",
                                condition=models.Q(finalized_at__isnull=True),
                            ),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=["reference"], name="efface_closings_reference_key"
                            )
                        ],
                    },
                )
            ],
        ),
    )
