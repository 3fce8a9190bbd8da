"""What Django's own checks and commands say about a policy."""

import json

import pytest


@pytest.fixture
def decided_by(django, settings_of):
    """Read the policy anew with other settings."""

    def problems(**changes):
        from efface.django.checks import check_policy

        with settings_of(**changes):
            return check_policy()

    return problems


def test_a_decided_policy_passes_the_checks(decided_by):
    assert decided_by() == []


def test_an_undecided_model_is_an_error_with_the_line_to_paste(decided_by):
    from tests.support.django_projects.town.models import Badge, Tag

    kept = Badge.efface, Tag.efface
    del Badge.efface, Tag.efface
    try:
        found = {message.obj: message for message in decided_by()}
    finally:
        Badge.efface, Tag.efface = kept

    assert {message.id for message in found.values()} == {"efface.E101"}
    assert found["town_badge"].hint.startswith("efface = Rules(on_close(")
    assert found["town_tag"].hint.endswith("# in town.Tag")


def test_an_undecided_field_is_shown_with_its_action(decided_by):
    from efface import Redact, on_close
    from tests.support.django_projects.town.models import Badge, Rules

    kept = Badge.efface
    Badge.efface = Rules(on_close(Redact(), via="holder"))
    try:
        reference, found = sorted(decided_by(), key=lambda message: message.obj)
    finally:
        Badge.efface = kept

    # Rows that stay would refer to an address that is replaced.
    assert (reference.id, reference.obj) == ("efface.E103", "town_badge.held_by")
    assert found.obj == "town_badge.title"
    assert found.hint == 'personal={"title": Replace("...")}\nnot_personal=["title"]'


@pytest.mark.parametrize(
    ("personal", "field"),
    [({"phase": "Gone"}, "phase"), ({"places": -1}, "places")],
)
def test_what_a_constraint_would_refuse_is_an_error(decided_by, personal, field):
    from efface import Redact, Replace, on_close
    from tests.support.django_projects.town.models import Rules, Ticket

    kept = Ticket.efface
    said = {"phase": "closed", "code": "gone", "places": 0} | personal
    decided = {name: Replace(value) for name, value in said.items()}
    Ticket.efface = Rules(on_close(Redact(), via="person"), personal=decided)
    try:
        (found,) = decided_by()
    finally:
        Ticket.efface = kept

    assert (found.id, found.obj) == ("efface.E103", f"town_ticket.{field}")
    assert found.msg.startswith(f"A CHECK constraint refuses the new value of {field}: ")
    assert found.msg.endswith(". Choose a value that it accepts, or change the constraint.")


@pytest.mark.parametrize(
    ("options", "is_refused"),
    [
        ({"fields": ["code"]}, True),
        ({"expressions": ["Lower"]}, True),
        ({"fields": ["code"], "condition": {"phase": "open"}}, False),
    ],
)
def test_one_value_for_all_is_refused_where_it_may_be_there_once(decided_by, options, is_refused):
    """Where only open tickets are unique, closed ones may all be called the same."""
    from django.db.models import Q, UniqueConstraint
    from django.db.models.functions import Lower

    from tests.support.django_projects.town.models import Ticket

    condition = Q(**options["condition"]) if "condition" in options else None
    unique = UniqueConstraint(
        *(Lower("code") for _ in options.get("expressions", ())),
        fields=options.get("fields", ()),
        condition=condition,
        name="once",
    )
    kept = Ticket._meta.constraints
    Ticket._meta.constraints = [unique]
    try:
        found = [message.obj for message in decided_by()]
    finally:
        Ticket._meta.constraints = kept

    assert found == (["town_ticket.code"] if is_refused else [])


def test_an_unknown_field_gets_the_nearest_known_one(decided_by):
    from efface import Delete, on_close
    from tests.support.django_projects.town.models import Badge, Rules

    kept = Badge.efface
    Badge.efface = Rules(on_close(Delete(), via="holdr"), not_personal=["titel"])
    try:
        texts = [message.msg for message in decided_by()]
    finally:
        Badge.efface = kept

    assert texts == [
        "titel is not a field of town.Badge. Did you mean title?",
        "holdr is not a field of town.Badge. Did you mean holder?",
    ]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"SERCET": "x" * 16}, "EFFACE has no setting SERCET. Did you mean SECRET?"),
        ({"SECRET": None}, 'EFFACE needs a text in SECRET: "SECRET": '),
        ({"SECRET": "short"}, "at least 16 bytes"),
        ({"RULES": {"twon": None}}, "Did you mean town?"),
        ({"RULES": {"auth.Gruop": None}}, "Did you mean Group?"),
        ({"RULES": []}, 'RULES: "RULES": {"sites": no_personal_data('),
        ({"RULES": {7: None}}, "EFFACE names an unknown application 7 in RULES."),
        ({"CLOCK": 5}, "EFFACE needs a function, or the dotted path of one, in CLOCK."),
        ({"CLOCK": "nowhere.at.all"}, "nowhere.at.all in CLOCK, but Python can't import it"),
        ({"POLICY": "nope.toml"}, 'nope.toml in POLICY that does not exist: "POLICY": BASE_DIR'),
        ({"POLICY": 7}, 'POLICY: "POLICY": BASE_DIR'),
        (
            {"LABELS": {"town.Pst": "x"}},
            "EFFACE names an unknown model town.Pst in LABELS. Did you mean Post?",
        ),
        (
            {"LABELS": {"town.Post.bdy": "x"}},
            "an unknown field town.Post.bdy in LABELS. Did you mean body?",
        ),
        ({"LABELS": {7: "x"}}, 'LABELS: "LABELS": {"myapp.Post": '),
    ],
)
def test_a_setting_that_is_not_understood_is_one_sentence(decided_by, said, sentence):
    (found,) = decided_by(**said)

    assert found.id.startswith("efface.E")
    assert sentence in found.msg


@pytest.mark.parametrize(
    "name",
    [
        *("town.Post", "town.post.body", "town.Person.nick", "town.Person.nickName"),
        *("town_post", "town_post.body", "tax law", "auth"),
    ],
)
def test_words_may_name_models_fields_tables_columns_and_reasons(decided_by, name):
    assert decided_by(LABELS={name: "something else"}) == []


def test_a_table_may_be_called_like_an_application(decided_by):
    """Django's own way to name tables in words is the model's; a table's name goes as well."""
    from tests.support.django_projects.town.models import Tag

    kept = Tag._meta.db_table
    Tag._meta.db_table = "town"
    try:
        found = decided_by(LABELS={"town.slug": "a subject", "town.sulg": "a subject"})
    finally:
        Tag._meta.db_table = kept

    assert [message.msg for message in found if "slug" in message.msg] == []
    assert [message.msg for message in found if "sulg" in message.msg] != []


def test_a_database_without_autocommit_is_an_error_with_the_line_to_change(django, monkeypatch):
    from django.db import connection

    from efface.django.checks import check_transactions

    assert check_transactions() == []
    monkeypatch.setitem(connection.settings_dict, "AUTOCOMMIT", False)
    (found,) = check_transactions()

    assert found.id == "efface.E608"
    assert found.hint == 'DATABASES["default"]["AUTOCOMMIT"] = True'


def test_the_command_plans_closes_and_lists(town):
    ada = town.ada()

    plan = town.command("plan", str(ada.pk))
    closed = town.command("close", str(ada.pk), "--actor", "ticket 8114", "--json")
    listed = town.command("closed")

    assert "town_person" in plan
    receipt = json.loads(closed)
    assert receipt["actor"] == "ticket 8114"
    assert receipt["reference"] in listed
    assert listed.endswith("1 account closure.\n")


def test_the_command_finds_what_was_left_and_says_no_value(town, tmp_path):
    from django.core.management import CommandError

    grace = town.person()
    (tmp_path / "names").write_text("grace@example.org\n")

    with pytest.raises(CommandError) as caught:
        town.command("verify", str(grace.pk), "--identifiers", str(tmp_path / "names"))

    assert caught.value.returncode == 4
    assert "town_person.email" in str(caught.value)
    assert "grace" not in str(caught.value)


def test_a_second_model_of_a_table_may_not_have_rules_that_nobody_reads(decided_by, monkeypatch):
    from tests.support.django_projects.town.models import Register, Tag

    monkeypatch.setattr(Register._meta, "db_table", Tag._meta.db_table)
    (found,) = decided_by()

    assert (found.id, found.obj) == ("efface.E606", "town_tag")
    assert "Efface would ignore the rules of town.Register" in found.msg
    assert found.hint.startswith("efface = Rules(...)    # out of town.Register into town.Tag")


def test_nor_a_reference_to_people_that_nobody_follows(decided_by, monkeypatch):
    from tests.support.django_projects.town.models import Register, Tag

    monkeypatch.setattr(Register._meta, "db_table", Tag._meta.db_table)
    monkeypatch.delattr(Register, "efface")
    (found,) = decided_by()

    assert (found.id, found.obj) == ("efface.E606", "town_tag.who_id")
    assert found.hint == 'who = models.ForeignKey("town.Person", ...)    # in town.Tag'


def test_it_may_read_references_that_the_deciding_model_has_too(decided_by, monkeypatch):
    from tests.support.django_projects.town.models import Badge, Register

    monkeypatch.setattr(Register._meta, "db_table", Badge._meta.db_table)
    monkeypatch.setattr(Register._meta.get_field("who"), "column", "held_by")
    monkeypatch.delattr(Register, "efface")

    assert decided_by() == []


def test_it_may_say_the_same_as_the_deciding_model(decided_by, monkeypatch):
    from efface import no_personal_data
    from tests.support.django_projects.town.models import Rules, Tag, Weather

    said = [Rules(no_personal_data(reason="words that everybody shares")) for _ in range(2)]
    monkeypatch.setattr(Weather._meta, "db_table", Tag._meta.db_table)
    monkeypatch.setattr(Tag, "efface", said[0])
    monkeypatch.setattr(Weather, "efface", said[1])

    assert decided_by() == []


@pytest.mark.parametrize("where", ["class", "through"])
def test_rules_in_two_places_are_an_error_that_names_both(decided_by, where):
    from efface import no_personal_data

    label = {"class": "town.Tag", "through": "town.Post_tags"}[where]
    (found,) = decided_by(RULES={label: no_personal_data(reason="words")})

    assert found.id == "efface.E606"
    assert (
        found.msg
        == f"{label} has rules in two places. Efface would ignore one, so keep one of them:"
    )
    first, second = found.hint.splitlines()
    assert first.startswith({"class": "`efface` of ", "through": "`through` of "}[where])
    assert second == f'EFFACE["RULES"]["{label}"] in the settings'


def test_rules_for_a_whole_application_leave_room_for_those_of_its_models(decided_by):
    from efface import no_personal_data

    found = decided_by(RULES={"town": no_personal_data(reason="a town like any other")})

    assert "efface.E606" not in {message.id for message in found}


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            'on_close(Delete(), via="holder", identifiers=["title"])',
            'Rules(on_close(Delete(), via="holder", identifiers=["title"]))',
        ),
        ("data_subject(deleted_at='left_at')", 'Rules(data_subject(deleted_at="left_at"))'),
        (
            '[on_close(Redact(), via="holder"), no_personal_data(reason="x")]',
            'Rules(on_close(Redact(), via="holder"), no_personal_data(reason="x"))',
        ),
        ('{"title": Clear()}', 'Rules(..., personal={"title": Clear()})'),
        ("None", "Rules(...)"),
        ("Rules", "Rules(...)"),
    ],
)
def test_what_is_written_as_efface_and_is_no_rules_is_named(decided_by, monkeypatch, said, line):
    import efface
    from tests.support.django_projects.town.models import Badge, Rules

    written = eval(said, {**vars(efface), "Rules": Rules})
    monkeypatch.setattr(Badge, "efface", written)
    (found,) = decided_by()

    assert (found.id, found.obj) == ("efface.E606", "town_badge")
    assert found.msg == "efface of town.Badge is not Rules(...), so Efface would ignore it. Write:"
    assert found.hint == f"efface = {line}    # in town.Badge"


def test_the_line_for_a_marker_without_rules_decides_when_it_is_pasted(decided_by, monkeypatch):
    import efface
    from tests.support.django_projects.town.models import Badge, Rules

    marker = efface.on_close(efface.Delete(), via="holder")
    monkeypatch.setattr(Badge, "efface", marker)
    (found,) = decided_by()
    line = found.hint.removeprefix("efface = ")
    monkeypatch.setattr(Badge, "efface", eval(line, {**vars(efface), "Rules": Rules}))

    assert decided_by() == []


def test_a_mixin_that_has_something_else_as_its_efface_is_named(decided_by, monkeypatch):
    from tests.support.django_projects.town.models import Stamped

    monkeypatch.setattr(Stamped, "efface", {})
    (found,) = decided_by()

    assert found.obj == "town_posts"
    assert found.msg.startswith("efface of town.Stamped is not Rules(...)")


def test_a_field_or_method_called_efface_is_the_applications_own(decided_by, monkeypatch):
    from efface import no_personal_data
    from tests.support.django_projects.town.models import Tag

    monkeypatch.setattr(Tag, "efface", Tag.__str__)
    with_rules = {"RULES": {"town.Tag": no_personal_data(reason="words that everybody shares")}}

    assert decided_by(**with_rules) == []


def test_rules_of_a_proxy_belong_into_the_model_with_the_table(decided_by, monkeypatch):
    from tests.support.django_projects.town.models import Neighbor, Rules

    monkeypatch.setattr(Neighbor, "efface", Rules(not_personal=["nick"]), raising=False)
    (found,) = decided_by()

    assert found.msg == "town.Neighbor is a proxy, so Efface would ignore its rules. Move them:"
    assert found.hint.endswith("# out of town.Neighbor into town.Person")


def test_rules_for_a_proxy_in_the_settings_name_the_model_with_the_table(decided_by):
    from tests.support.django_projects.town.models import Rules

    (found,) = decided_by(RULES={"town.Neighbor": Rules(not_personal=["nick"])})

    assert found.msg == (
        "town.Neighbor is a proxy, so Efface would ignore its rules. Name town.Person:"
    )
    assert found.hint.startswith('"town.Person": ...,')
