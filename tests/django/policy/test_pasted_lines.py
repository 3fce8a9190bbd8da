"""What `manage.py check` suggests, pasted where it says: the error is gone, and no other comes."""

import json
import os
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

SETTINGS = """
SECRET_KEY, USE_TZ = "a key of the project, for tests alone", True
OF_DJANGO = ("auth", "contenttypes", "sessions")
INSTALLED_APPS = [*(f"django.contrib.{name}" for name in OF_DJANGO), "efface.django", "club"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
AUTH_USER_MODEL = "club.Member"
EFFACE = {"SECRET": "a key for the tests alone"}
"""
HEAD = """
from django.contrib.auth.models import AbstractUser
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models

from efface import *
from efface.django import Rules


class Member(AbstractUser):
    deleted_at = models.DateTimeField(null=True, blank=True)

    efface = Rules(
        data_subject(identifiers=["email"]),
        personal={
            "email": Replace(""),
            "username": Placeholder(),
            **dict.fromkeys(["password", "first_name", "last_name"], Replace("")),
            "last_login": Clear(),
            MORE
        },
        not_personal=[STAYS],
    )
"""
STAYS = '"is_active", "is_staff", "is_superuser", "date_joined"'
CHECK = """
import json

import django

django.setup()

from efface.django.checks import check_policy

print(json.dumps([[m.id, m.obj, m.msg, m.hint] for m in check_policy()]))
"""


@pytest.fixture
def checked(tmp_path):
    """What a project with these models is told, by place: text and lines."""

    def found(models="", *, more="", stays=STAYS):
        (tmp_path / "club").mkdir(exist_ok=True)
        (tmp_path / "club" / "__init__.py").touch()
        (tmp_path / "club" / "settings.py").write_text(SETTINGS)
        head = HEAD.replace("MORE", more).replace("STAYS", stays)
        (tmp_path / "club" / "models.py").write_text(head + models)
        done = subprocess.run(
            [sys.executable, "-B", "-c", CHECK],
            cwd=tmp_path,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "club.settings"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        messages = json.loads(done.stdout)
        return {obj: (code.removeprefix("efface."), msg, hint) for code, obj, msg, hint in messages}

    return found


def test_the_fields_of_a_user_take_the_lines_for_them_in_one(checked):
    found = checked(stays="")
    first = found["club_member.date_joined"]

    assert first[1] == (
        "These fields have no rule: date_joined, is_active, is_staff, is_superuser. "
        "Give the Rules of club.Member one of these for each:"
    )
    line, other = first[2].splitlines()
    assert line.endswith(",    # into personal={...}")
    assert other == f"not_personal=[{', '.join(sorted(STAYS.split(', ')))}]"
    assert {each[2] for place, each in found.items() if place != "club_member.date_joined"} == {
        None
    }
    # Yes or no says nothing about anybody, so the first line is for the date alone.
    booleans = STAYS.partition(', "date_joined"')[0]
    assert checked(stays=booleans, more=line) == {}


MEMBERS = """
class Tag(models.Model):
    slug = models.SlugField()

    efface = Rules(no_personal_data(reason="words"))


class Group(models.Model):
    members = models.ManyToManyField(Member)
    friends = models.ManyToManyField(Member, related_name="+")
    tags = models.ManyToManyField(Tag)

    efface = Rules(no_personal_data(reason="groups of members"), PASTED)
"""


def test_the_table_of_a_many_to_many_field_is_left_by_the_key_that_leads_to_people(checked):
    found = checked(MEMBERS.replace("PASTED", ""))
    choices = [found[f"club_group_{name}"][2] for name in ("friends", "members", "tags")]
    lines = [each.splitlines()[0] for each in choices]

    assert choices[1].splitlines() == [
        'through={"members": on_close(Delete(), via="member")}    # in the Rules of club.Group',
        (
            '# or: through={"members": on_close(Redact(), via="member")}'
            "    # in the Rules of club.Group"
        ),
        (
            '# or: through={"members": no_personal_data(reason="...")}'
            "    # in the Rules of club.Group"
        ),
    ]
    # The reason is the reader's to write.
    lines[2] = lines[2].replace('reason="..."', 'reason="words of the club"')
    inner = ", ".join(line.partition("}")[0].removeprefix("through={") for line in lines)
    assert checked(MEMBERS.replace("PASTED", f"through={{{inner}}}")) == {}
    some = checked(MEMBERS.replace("PASTED", lines[1].partition("    #")[0]))
    assert some["club_group_tags"][2] == (
        '"tags": no_personal_data(reason="..."),    # into through={...} in the Rules of club.Group'
    )


NOTE = """
class Note(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveBigIntegerField(db_index=True)
    about = GenericForeignKey()
    text = models.TextField()

    PASTED

    class Meta:
        INDEX
"""


def test_a_generic_foreign_key_is_followed_and_indexed(checked):
    undecided = checked(NOTE.replace("PASTED", "").replace("INDEX", "ordering = []"))["club_note"]
    kept, gone, _ = undecided[2].splitlines()
    pasted = NOTE.replace("PASTED", gone.removeprefix("# or: "))
    slow = checked(pasted.replace("INDEX", "ordering = []"))

    named = 'Generic(type_column="content_type", id_column="object_id", type="club.Member")'
    assert kept == f"efface = Rules(on_close(Redact(), via={named}))    # in club.Note"
    assert [each[0] for each in slow.values()] == ["W102"]
    assert checked(pasted.replace("INDEX", slow["club_note.content_type_id"][2])) == {}


POST = """
class Post(models.Model):
    author = models.ForeignKey(Member, models.CASCADE)
    body = models.TextField()
    short = models.CharField(max_length=2)

    PASTED
"""


def test_rules_that_say_nothing_of_the_rows_get_a_line_to_begin_with(checked):
    begun = "efface = Rules(FIRST personal={'body': Replace('')}, not_personal=['short'])"
    models = POST.replace("PASTED", begun)
    line = checked(models.replace("FIRST", ""))["club_post"][2].splitlines()[0]

    assert line == 'on_close(Delete(), via="author"),    # first in the Rules of club.Post'
    assert checked(models.replace("FIRST", line.partition("    #")[0])) == {}


def test_a_value_that_does_not_fit_gets_one_that_does(checked):
    said = "efface = Rules(on_close(Redact(), via='author'), personal={'body': Replace(''), "
    models = POST.replace("PASTED", said + "SHORT})")
    found = checked(models.replace("SHORT", "'short': Replace('too long')"))["club_post.short"]

    assert found[2] == '"short": Replace(""),    # into personal={...}'
    assert checked(models.replace("SHORT", found[2].partition("    #")[0])) == {}


@pytest.mark.parametrize("which", [0, 1])
def test_a_reference_that_no_link_names_gets_both_lines_in_names_of_fields(checked, which):
    models = POST.replace("PASTED", "efface = Rules(FIRST, LAST)")
    said = models.replace("FIRST", "no_personal_data(reason='texts')")
    found = checked(said.replace(", LAST", ""))["club_post.author_id"]

    assert found[0] == "W101"
    assert found[1] == (
        "author refers to club_member, but no rule says what happens to these rows when that "
        "user closes the account. Give the Rules of club.Post one of these:"
    )
    link, stays = found[2].splitlines()
    assert link == (
        'on_close(Redact(), via="author"),'
        "    # in place of no_personal_data(...) in the Rules of club.Post"
    )
    assert stays == 'not_personal=["author"]    # it may refer to the tombstone row'
    if which == 0:
        left = checked(models.replace("FIRST", link.partition(",    #")[0]).replace(", LAST", ""))
        assert set(left) == {"club_post.body", "club_post.short"}
    else:
        assert checked(said.replace("LAST", stays.partition("    #")[0])) == {}


def test_several_links_are_named_as_the_rules_name_them(checked):
    models = """
class Message(models.Model):
    by = models.ForeignKey(Member, models.CASCADE, related_name="+")
    to = models.ForeignKey(Member, models.CASCADE, related_name="+", db_column="recipient")
    text = models.TextField()

    PASTED
"""
    undecided = checked(models.replace("PASTED", ""))["club_message"][2].splitlines()
    assert undecided == [
        (
            'efface = Rules(on_close(Redact(), via="by"), on_close(Redact(), via="to"))'
            "    # in club.Message"
        ),
        '# or: efface = Rules(no_personal_data(reason="..."))    # in club.Message',
    ]
    redacted = undecided[0].partition(")    #")[0]
    pasted = models.replace("PASTED", f"{redacted}, personal={{'text': Replace('')}})")
    line = checked(pasted)["club_message.text"][2]
    assert line == '"text": personal(Replace(value=\'\'), via="by"),    # into personal={...}'
    assert checked(pasted.replace("'text': Replace('')", line.partition(",    #")[0])) == {}


def test_rows_that_would_lose_theirs_get_the_line_for_the_other_model(checked):
    models = """
class Album(models.Model):
    holder = models.ForeignKey(Member, models.CASCADE, db_column="held_by")

    efface = Rules(PASTED)


class Photo(models.Model):
    album = models.ForeignKey(Album, models.CASCADE)
    of = models.ForeignKey(Member, models.CASCADE)

    efface = Rules(on_close(Redact(), via="of"))
"""
    said = 'on_close(Delete(), via="holder")'
    code, text, line = checked(models.replace("PASTED", said))["club_photo"]

    assert code == "E203"
    assert text.startswith(
        "These rows are kept, but album refers to club_album, whose rows are deleted."
    )
    assert text.endswith("Keep those without their values, in the Rules of club.Album:")
    assert line == 'on_close(Redact(), via="holder"),    # in the Rules of club.Album'
    assert checked(models.replace("PASTED", line.partition(",    #")[0])) == {}


def test_a_reference_to_rows_that_go_gets_the_line_for_its_own_model(checked):
    models = """
class Address(models.Model):
    street = models.TextField()

    efface = Rules(on_close(Delete(), via=OwnedBy(by="club.Order.address")))


class Order(models.Model):
    buyer = models.ForeignKey(Member, models.CASCADE)
    address = models.ForeignKey(Address, models.CASCADE, null=True)

    efface = Rules(on_close(Redact(), via="buyer"), PASTED)
"""
    code, text, line = checked(models.replace("PASTED", ""))["club_address"]

    assert code == "E103"
    assert text.endswith("still refers to deleted rows. Give the Rules of club.Order one of these:")
    assert line == 'personal={"address": Unlink()}'
    assert checked(models.replace("PASTED", line)) == {}


def test_a_field_of_two_people_gets_a_line_that_says_whose_it_is(checked):
    models = """
class Message(models.Model):
    by = models.ForeignKey(Member, models.CASCADE, related_name="+")
    to = models.ForeignKey(Member, models.CASCADE, related_name="+")
    text = models.TextField()

    efface = Rules(on_close(Redact(), via="by"), on_close(Redact(), via="to"), PASTED)
"""
    line, _ = checked(models.replace("PASTED", ""))["club_message.text"][2].splitlines()
    assert line == 'personal={"text": personal(Replace("..."), via="by")}'
    assert checked(models.replace("PASTED", line)) == {}

    cleared = line.replace('Replace("...")', "Clear()")
    again = checked(models.replace("PASTED", cleared))["club_message.text"][2]
    assert again == '"text": personal(Replace("..."), via="by"),    # into personal={...}'


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

    done = subprocess.run(
        [sys.executable, "-B", "-c", CLOSE],
        cwd=tmp_path,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "club.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(
        [2, 1, 1, 2, 1, 1, "...", "by Bob", "to Ada", (None, None), (2, None)]
    )
