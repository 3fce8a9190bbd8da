"""Declare the table that Efface owns as a model, for the admin and for `flush`.

The engine writes the table through `efface.store`, which describes each column.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from efface.django.page.active_language import later
from efface.page.translations import translatable


class Closing(models.Model):
    """One account closure with its receipt."""

    id = models.BigAutoField(primary_key=True)
    reference = models.CharField(later(translatable("confirmation number")), max_length=32)
    subject = models.CharField(max_length=64)
    closed_at = models.DateTimeField(later(translatable("closed on")))
    actor = models.CharField(later(translatable("requested by")), max_length=200)
    policy = models.CharField(later(translatable("digest of the policy")), max_length=64)
    receipt = models.TextField()
    finalized_at = models.DateTimeField(later(translatable("finalized on")), null=True)

    class Meta:
        """Use the names in `efface.store`."""

        db_table = "efface_closings"
        verbose_name = later(translatable("account closure"))
        verbose_name_plural = later(translatable("account closures"))
        default_permissions = ("view",)
        permissions: ClassVar = [
            ("close_account", "Can close accounts"),
            ("override_retention", "Can delete users with retained records"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reference"], name="efface_closings_reference_key")
        ]
        indexes: ClassVar = [
            models.Index(fields=["subject", "closed_at"], name="ix_efface_closings_subject"),
            models.Index(
                fields=["id"],
                name="ix_efface_closings_pending",
                condition=models.Q(finalized_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        """Return the reference, which contains no personal value."""
        return str(self.reference)
