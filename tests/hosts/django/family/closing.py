"""Runs in a process of its own: closes Ada, and prints what is left of her as JSON."""

import json
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.hosts.django.family.settings"

import django

django.setup()

from django.core.management import call_command

from efface.django import close_account
from efface.django.closing import problems
from tests.hosts.django.family.models import Account, Member, Post, Staff


def member(name):
    made = Member.objects.create(email=f"{name}@example.org", name=name, nick=f"{name}!")
    Staff(account_ptr=made.account_ptr, desk=f"desk of {name}").save_base(raw=True)
    Post.objects.create(author=made, body=f"by {name}")
    return made


def rows(model):
    """The rows of one table, Ada's and Grace's, whether they are hidden or not."""
    fields = [field.attname for field in model._meta.local_concrete_fields]
    return list(model.objects.include_closed().order_by("pk").values(*fields))


call_command("migrate", run_syncdb=True, verbosity=0)
ada, grace = member("adalovelace"), member("gracehopper")
Post.objects.create(author=grace, body="Mail AdaLovelace@example.org, she knows")
undecided = [str(problem) for problem in problems("default")]
before = {model.__name__: rows(model)[1] for model in (Account, Member, Staff)}
receipt = close_account(ada, actor="test")
again = close_account(ada.pk, actor="test")
print(
    json.dumps(
        {
            "problems": undecided,
            "rows": {model.__name__: rows(model)[0] for model in (Account, Member, Staff)},
            "grace_is_as_before": before
            == {model.__name__: rows(model)[1] for model in (Account, Member, Staff)},
            "posts": [post.body for post in Post.objects.order_by("pk")],
            "shown": [list(m.objects.values_list("pk", flat=True)) for m in (Account, Member)],
            "found": [f"{found.table}.{found.column}" for found in receipt.search.findings],
            "again": again.reference == receipt.reference,
            "grace": grace.pk,
        },
        default=str,
    )
)
