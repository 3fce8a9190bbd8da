"""What dj_anonymizer does in each of the seven tables; it must be told about all others too."""

from dj_anonymizer.register_models import (
    AnonymBase,
    register_anonym,
    register_clean,
    register_skip,
)
from django.apps import apps
from django.core.management import call_command
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat

from benchmarks.district import models

NOBODY = Concat(Value("anonymized-"), Cast("id", CharField()), Value("@users.invalid"))
VALUES = {
    models.Person: {"email": NOBODY, "name": None, "password": "", "last_login": None},
    models.Post: {"title": ""},
    models.Comment: {"name": None},
    models.Order: {"note": None},
    models.Event: {"ip": None},
}
CLEANED = (models.Login, models.Address)


def _rule(values: dict) -> type:
    return type("Rule", (AnonymBase,), {"Meta": type("Meta", (), {"update_values": values})})


register_anonym([(model, _rule(values)) for model, values in VALUES.items()])
register_clean([(model, AnonymBase) for model in CLEANED])
register_skip([each for each in apps.get_models() if each not in {*VALUES, *CLEANED}])


def anonymize() -> None:
    """Take everything personal from everybody."""
    call_command("anonymize_db")
