"""A site of pages with the first line of every model: nothing of anybody else goes."""

import re

import pytest

from tests.support.django_projects.club import printed_in

pytestmark = pytest.mark.slow

SITE = """
class Page(models.Model):
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="+")
    owner = models.ForeignKey(Member, models.SET_NULL, null=True, related_name="+")
    locked_by = models.ForeignKey(Member, models.SET_NULL, null=True, related_name="+")
    RULES_OF_Page


class Site(models.Model):
    root_page = models.ForeignKey(Page, models.CASCADE)
    RULES_OF_Site


class Submission(models.Model):
    page = models.ForeignKey(Page, models.CASCADE)
    form_data = models.JSONField()
    RULES_OF_Submission


class Comment(models.Model):
    page = models.ForeignKey(Page, models.CASCADE)
    user = models.ForeignKey(Member, models.CASCADE)
    text = models.TextField()
    RULES_OF_Comment


class Reply(models.Model):
    comment = models.ForeignKey(Comment, models.CASCADE)
    user = models.ForeignKey(Member, models.CASCADE)
    text = models.TextField()
    RULES_OF_Reply


class Bookmark(models.Model):
    user = models.ForeignKey(Member, models.CASCADE)
    page = models.ForeignKey(Page, models.CASCADE)
    RULES_OF_Bookmark


class Card(models.Model):
    member = models.OneToOneField(Member, models.DO_NOTHING, primary_key=True)
    email = models.TextField()
    RULES_OF_Card

    class Meta:
        managed = False
"""
PASTED = {
    "Page": (
        'efface = Rules(on_close(Redact(), via="owner"), on_close(Redact(), via="locked_by"), '
        'personal={"owner": personal(Unlink(), via="owner"), '
        '"locked_by": personal(Unlink(), via="locked_by")})    # in club.Page'
    ),
    "Site": 'efface = Rules(no_personal_data(reason="..."))    # in club.Site',
    "Submission": 'efface = Rules(no_personal_data(reason="..."))    # in club.Submission',
    "Comment": 'efface = Rules(on_close(Redact(), via="user"))    # in club.Comment',
    "Reply": 'efface = Rules(on_close(Delete(), via="user"))    # in club.Reply',
    "Bookmark": 'efface = Rules(on_close(Delete(), via="user"))    # in club.Bookmark',
    "Card": 'efface = Rules(no_personal_data(reason="a view"))    # in club.Card',
}
CLOSE = """
import django

django.setup()

from django.core.management import call_command
from django.db import connection

from club.models import *
from efface.django import close_account

call_command("migrate", run_syncdb=True, verbosity=0)
ada, bob = (Member.objects.create(username=n, email=n + "@x.example") for n in ("ada", "bob"))
home = Page.objects.create(locked_by=ada)
page = Page.objects.create(parent=home, owner=bob)
Site.objects.create(root_page=home)
Submission.objects.create(page=home, form_data={"from": "a stranger"})
hers = Comment.objects.create(page=page, user=ada, text="by Ada")
Comment.objects.create(page=home, user=bob, text="by Bob")
Reply.objects.create(comment=hers, user=bob, text="to Ada")
Reply.objects.create(comment=hers, user=ada, text="to herself")
for member in (ada, bob):
    Bookmark.objects.create(user=member, page=home)
close_account(ada, actor="test")
found = [model.objects.count() for model in (Page, Site, Submission, Comment, Reply, Bookmark)]
texts = sorted(each.text for each in [*Comment.objects.all(), *Reply.objects.all()])
print([*found, *texts, *Page.objects.values_list("owner", "locked_by").order_by("id")])
"""


def test_pasted_on_a_site_of_pages_the_lines_delete_no_page(checked, tmp_path):
    """An editor who has locked the home page leaves; its site, and what is below, stay."""
    models = SITE
    found = checked(re.sub(r"RULES_OF_\w+", "", models))
    lines = {name: found[f"club_{name.lower()}"][2].splitlines()[0] for name in PASTED}
    assert lines == PASTED

    for name, line in lines.items():
        pasted = line.replace('"..."', '"a page"').partition("    #")[0]
        models = models.replace(f"RULES_OF_{name}", pasted)
    # The second round is about the columns of rows that stay.
    ((place, (_, _, second)),) = checked(models).items()
    assert place == "club_comment.text"
    models = models.replace(
        PASTED["Comment"].partition(")    #")[0],
        f"{PASTED['Comment'].partition(')    #')[0]}, {second.splitlines()[0]}",
    )
    assert checked(models) == {}

    assert printed_in(tmp_path, CLOSE).strip() == str(
        [2, 1, 1, 2, 1, 1, "...", "by Bob", "to Ada", (None, None), (2, None)]
    )
