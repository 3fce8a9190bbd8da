"""What `manage.py check` suggests, pasted where it says: the error is gone, and no other comes."""

import pytest

from tests.support.django_projects.club import STAYS

pytestmark = pytest.mark.slow


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
