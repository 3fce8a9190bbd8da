"""Find models of other databases, whose rows a closure does not reach."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.auth import get_user_model
from django.db import connections, router

from efface.django import settings
from efface.django.policy.problems_for_models import is_from_package
from efface.django.rules import find_rules
from efface.django.schema.models_to_metadata import models_in
from efface.errors import Problem
from efface.policy.declarations import NoPersonalDataRule


def find_unreached_models(alias: str) -> Iterator[Problem]:
    """Yield a warning for each database but *alias* that alone has models, or is written to alone.

    Without `allow_migrate`, each database has the table, and one of them has the rows. Models of
    installed packages are left out, because you can't edit them.
    """
    here, said = set(models_in(alias)), settings.efface_settings()
    # With `using`, you chose another database than that to which the routers write.
    is_routed = router.db_for_write(get_user_model()) == alias
    for other in connections:
        labels = []
        for model in models_in(other) if other != alias else ():
            rules = find_rules(model) or said.rules_for(model)
            row_rules = rules.row_rules if rules is not None else ()
            is_decided = any(isinstance(rule, NoPersonalDataRule) for rule in row_rules)
            is_elsewhere = model not in here or (is_routed and router.db_for_write(model) == other)
            if is_elsewhere and not is_decided and not is_from_package(model):
                labels.append(model._meta.label)
        if labels:
            text = (
                f"These models are in the database {other}, and accounts are closed in {alias}, so "
                f"a closure leaves their rows: {', '.join(labels)}. Erase them in a handler of the "
                "signal account_erased. Or give each of them:"
            )
            paste = 'efface = Rules(no_personal_data(reason="..."))'
            yield Problem("W110", f"(database {other})", None, text, paste, level="warning")
