"""Runs in a process of its own: Ada leaves while objects of hers are held; prints what they do."""

import json
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.support.django_projects.family.settings"

import django

django.setup()

from contextlib import nullcontext

from django.core.management import call_command
from django.db import transaction

from efface.django import close_account, include_closed
from efface.errors import ClosedObjectError
from tests.support.django_projects.family.models import Account, Clerk, Letter, Member, Staff


def outcome(act, block):
    """Try *act* and undo it: what it gave, or how it was refused, and whether the rows changed."""
    before = rows()
    with transaction.atomic():
        try:
            with transaction.atomic(), block:
                act()
                told = "done"
        except ClosedObjectError as error:
            told = error.code
        is_changed = rows() != before
        transaction.set_rollback(True)
    return [told, is_changed]


def rows():
    models = Account, Member, Staff, Clerk, Letter
    return [list(m.objects.include_closed().order_by("pk").values()) for m in models]


def save_loaded(model):
    held = model.objects.get(pk=ada.pk)
    held.name = "Somebody"
    held.save()


# Models without migrations are made first, and one of them refers to content types.
call_command("migrate", "contenttypes", verbosity=0)
call_command("migrate", run_syncdb=True, verbosity=0)
# The keys of clerks are those of other people's accounts.
Member.objects.create(email="first@example.org", name="first")
ada = Member.objects.create(email="ada@example.org", name="adalovelace", nick="Countess")
grace = Member.objects.create(email="grace@example.org", name="gracehopper")
for one in (ada, grace):
    Clerk(account_ptr=one.account_ptr, counter="by the window").save_base(raw=True)
    Staff(account_ptr=one.account_ptr, desk="by the window").save_base(raw=True)
letter = Letter.objects.create(account=ada.account_ptr)
people = Account, Member, Staff, Clerk
held = {model.__name__: model.objects.get(email=ada.email) for model in people}
held["part"] = Member.objects.only("email").get(pk=ada.pk)
close_account(ada.pk, actor="test")
addressee = Letter.objects.select_related("account").only("account__email").get().account
acts = {
    **{f"save {name}": one.save for name, one in held.items()},
    **{f"delete {name}": one.delete for name, one in held.items()},
    "delete addressee": Letter.objects.get().account.delete,
}
told = {
    "deferred": addressee.name,
    "clerks": list(Clerk.objects.filter(email__gt="").values_list("email", flat=True)),
    "outside": {name: outcome(act, nullcontext()) for name, act in acts.items()},
    "inside": {name: outcome(act, include_closed()) for name, act in acts.items()},
    "loaded inside": {
        model.__name__: outcome(lambda model=model: save_loaded(model), include_closed())
        for model in (Account, Member)
    },
}
print(json.dumps(told))
