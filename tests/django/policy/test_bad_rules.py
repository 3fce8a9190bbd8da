"""Rules that Django's models refuse: one sentence each."""

import pytest


def test_two_models_that_claim_one_table_are_named(django, settings_of):
    from efface.django.checks import check_policy
    from tests.support.django_projects.town.models import Badge, Tag

    kept = Badge._meta.db_table
    Badge._meta.db_table = Tag._meta.db_table
    try:
        with settings_of():
            (found,) = check_policy()
    finally:
        Badge._meta.db_table = kept

    assert "town.Badge and town.Tag" in found.msg
    assert found.id == "efface.E606"


def test_many_to_many_rules_name_fields(django, settings_of):
    from efface import Delete, data_subject, on_close
    from efface.django import Rules
    from efface.django.checks import check_policy
    from tests.support.django_projects.town.models import Person

    kept = Person.efface
    Person.efface = Rules(data_subject(), through={"freinds": on_close(Delete(), via="x")})
    try:
        with settings_of():
            texts = [message.msg for message in check_policy()]
    finally:
        Person.efface = kept

    assert texts == ["freinds is not a many-to-many field of town.Person. Did you mean friends?"]


@pytest.fixture
def log_about(django, settings_of):
    """What the checks say of a log whose generic pair names this model."""
    from efface import Generic, Redact, Replace, on_close, personal
    from efface.django import Rules
    from efface.django.checks import check_policy

    def problems(name):
        about = Generic("content_type", "object_id", type=name)
        rules = Rules(
            on_close(Redact(), via="user"),
            on_close(Redact(), via=about),
            personal={
                "object_repr": personal(Replace(""), via=about),
                "change_message": personal(Replace(""), via=about),
            },
            not_personal=["action_time", "action_flag"],
        )
        with settings_of(RULES={"admin.LogEntry": rules}):
            return check_policy()

    return problems


def test_a_generic_pair_about_rows_that_are_no_people_is_refused(log_about):
    """The key of a post would be taken for that of a person, whoever it is."""
    (found,) = log_about("town.Tag")

    assert (found.id, found.obj) == ("efface.E606", "django_admin_log.content_type")
    assert "keys of town.Tag would be taken for keys of users" in found.msg


@pytest.mark.parametrize("name", ["town.Person", "person", "town.Neighbor", "town.Trader"])
def test_a_generic_pair_about_any_model_with_a_persons_key_is_followed(log_about, name):
    assert log_about(name) == []


@pytest.mark.parametrize(
    ("said", "text", "line"),
    [
        (
            'Rules(personal=["body", "short"])',
            "personal must be a dictionary with a rule for each field, not a list:",
            'personal={"body": Replace("..."), "short": Replace("...")}',
        ),
        (
            'Rules(personal={"short": "x"})',
            "personal gives short a str, which is not an action.",
            'personal={"short": Replace("...")}',
        ),
        (
            'Rules(personal={"short": 7})',
            "personal gives short an int, which is not an action.",
            'personal={"short": Replace("...")}',
        ),
        (
            'Rules(personal={"short": Clear})',
            "personal gives short a class, which is not an action.",
            'personal={"short": Replace("...")}',
        ),
        (
            'Rules(personal={"short": [Clear()]})',
            "personal gives short a list, which is not an action.",
            'personal={"short": Replace("...")}',
        ),
        (
            'Rules(personal={"short": on_close(Delete(), via="author")})',
            "personal gives short a RuleItem, which is not an action.",
            'personal={"short": Replace("...")}',
        ),
        (
            'Rules(not_personal="short")',
            "not_personal must be a list of field names, not a str:",
            'not_personal=["short"]',
        ),
        (
            "Rules(not_personal=[Clear()])",
            "not_personal must be a list of field names, not a list:",
            'not_personal=["name"]',
        ),
        (
            'Rules(through=["members"])',
            "through must be a dictionary with a rule for each field, not a list:",
            'through={"members": on_close(...)}',
        ),
        (
            'Rules(through={"members": Delete()})',
            "Rules takes data_subject(), on_close() or no_personal_data().",
            'not_personal=["name"]',
        ),
        (
            "Rules(Delete())",
            "Rules takes data_subject(), on_close() or no_personal_data().",
            'not_personal=["name"]',
        ),
    ],
)
def test_rules_that_are_not_of_their_kind_are_refused_where_they_are_written(
    django, said, text, line
):
    from efface import Clear, Delete, Replace, on_close
    from efface.django import Rules
    from efface.errors import RulesError

    names = {each.__name__: each for each in (Clear, Delete, Replace, Rules, on_close)}
    with pytest.raises(RulesError) as caught:
        eval(said, names)

    (problem,) = caught.value.problems
    assert problem.text.startswith(text)
    assert problem.paste.endswith(line)
    if "on_close(...)" not in line:
        assert eval(f"Rules({problem.paste.splitlines()[-1]})", names)


def test_a_model_without_many_to_many_fields_lists_none(django, settings_of):
    from efface import Delete, on_close
    from efface.django.checks import check_policy
    from tests.support.django_projects.town.models import Rules, Tag

    kept = Tag.efface
    Tag.efface = Rules(through={"posts": on_close(Delete(), via="tag")})
    try:
        with settings_of():
            (found,) = check_policy()
    finally:
        Tag.efface = kept

    assert found.msg == "posts is not a many-to-many field of town.Tag."
