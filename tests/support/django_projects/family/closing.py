"""Runs in a process of its own: closes Ada, and prints what is left of her as JSON."""

import json
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.support.django_projects.family.settings"

import django

django.setup()

from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.forms import modelform_factory, modelformset_factory

from efface.django import close_account
from efface.django.policy.erasers import find_problems
from tests.support.django_projects.family.models import (
    Account,
    Card,
    Member,
    Neighbor,
    Note,
    Post,
    Remark,
    Staff,
)

# A person's key is a key of each, but of a post.
KINDS = (Member, Account, Staff, Neighbor, Post)


def member(name):
    made = Member.objects.create(email=f"{name}@example.org", name=name, nick=f"{name}!")
    Staff(account_ptr=made.account_ptr, desk=f"desk of {name}").save_base(raw=True)
    Post.objects.create(author=made, body=f"by {name}")
    for model in KINDS:
        kind = ContentType.objects.get_for_model(model, for_concrete_model=False)
        text = "about a post" if model is Post else f"{name} as {model.__name__}"
        Remark.objects.create(kind=kind, key=str(made.pk), text=text)
    Card.objects.create(member=made)
    Note.objects.create(holder_id=made.pk, text=f"of {name}")
    return made


def rows(model):
    """The rows of one table, Ada's and Grace's, whether they are hidden or not."""
    fields = [field.attname for field in model._meta.local_concrete_fields]
    return list(model.objects.include_closed().order_by("pk").values(*fields))


def is_taken(note, holder):
    """Whether the form of a note takes this account as its holder."""
    form = modelform_factory(Note, fields=["holder", "text"])
    return form({"holder": holder, "text": "-"}, instance=note).is_valid()


def members_of(notes):
    """Who holds each note, as a member: loaded with it or afterwards, that is a search."""
    found = [getattr(note.holder, "member", None) for note in notes.order_by("pk")]
    return [member and member.pk for member in found]


def cards_in_forms(*shown):
    """What is wrong with the forms of all cards, and with one for another card of Ada's."""
    forms = modelformset_factory(Card, fields=[*shown, "color"], extra=1)
    sent = {"form-TOTAL_FORMS": 3, "form-INITIAL_FORMS": 2}
    for number, key in enumerate((ada.pk, grace.pk, ada.pk)):
        sent |= {f"form-{number}-member": key, f"form-{number}-color": "blue"}
    filled = forms(sent, queryset=Card.objects.order_by("pk"))
    return [
        {name: error.code for name, (error, *_) in each.as_data().items()} for each in filled.errors
    ]


def colors_after_edit():
    """Every card as a list of forms saves it, in which nobody has touched whose they are."""
    forms = modelformset_factory(Card, fields=["color"], extra=0)
    sent = {"form-TOTAL_FORMS": 2, "form-INITIAL_FORMS": 2}
    for number, key in enumerate((ada.pk, grace.pk)):
        sent |= {f"form-{number}-member": key, f"form-{number}-color": "blue"}
    filled = forms(sent, queryset=Card.objects.order_by("pk"))
    if filled.is_valid():
        filled.save()
    return list(Card.objects.order_by("pk").values_list("color", flat=True))


# Models without migrations are made first, and one of them refers to content types.
call_command("migrate", "contenttypes", verbosity=0)
call_command("migrate", run_syncdb=True, verbosity=0)
ada, grace = member("adalovelace"), member("gracehopper")
Post.objects.create(author=grace, body="Mail AdaLovelace@example.org, she knows")
undecided = [str(problem) for problem in find_problems("default")]
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
            "remarks": list(Remark.objects.order_by("pk").values_list("text", flat=True)),
            "found": [f"{found.table}.{found.column}" for found in receipt.search.findings],
            "taken": [
                [is_taken(note, holder) for holder in (ada.pk, grace.pk)]
                for note in (*Note.objects.order_by("pk"), Note())
            ],
            "held by": [
                members_of(Note.objects.all()),
                members_of(Note.objects.select_related("holder")),
                members_of(Note.objects.select_related("holder__member")),
            ],
            "cards": [cards_in_forms(), cards_in_forms("member")],
            "colors": colors_after_edit(),
            "again": again.reference == receipt.reference,
            "grace": grace.pk,
        },
        default=str,
    )
)
