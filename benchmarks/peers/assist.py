"""People leave by django-gdpr-assist, which anonymizes what is declared, and Django's deletion."""

from collections.abc import Sequence

from gdpr_assist import register

from benchmarks.district import models

FIELDS = {
    models.Post: ("title",),
    models.Comment: ("name",),
    models.Order: ("note",),
    models.Event: ("ip",),
    models.Person: ("email", "name", "password"),
}
DELETED = (models.Login, models.Address)

for model, fields in FIELDS.items():
    register(model, type("PrivacyMeta", (), {"fields": list(fields)}))


def anonymize(keys: Sequence[int]) -> None:
    """Take everything personal from these people, inside the caller's transaction."""
    for each in DELETED:
        each.objects.filter(person__in=keys).delete()
    for each in FIELDS:
        key = "pk__in" if each is models.Person else "person__in"
        each.objects.filter(**{key: keys}).anonymise()
