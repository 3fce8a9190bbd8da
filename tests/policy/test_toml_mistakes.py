"""What is said to a misspelling in a policy file."""

import pytest
from sqlalchemy import Column, Enum, LargeBinary, Numeric, String, Uuid

from efface import Policy
from efface.errors import UnreadableFileError
from tests.policy.toml_files import Status, people, read, refused

RETAIN = """
[tables.people.on_close]
action = "Retain"
via = "id"
period = "P1Y"
reason = "law"
basis = "legal obligations"
"""
MATCH = """
[tables.people.on_close]
action = "Delete"
via = {link = "MatchBy", column = "id", equals = "people.id", share = true}
"""


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("[table.people]", "(file)", "Did you mean tables?"),
        ("[tables.poeple]", "poeple", "Did you mean people?"),
        ("[tables.people.on_leave]", "people", "Did you mean on_close?"),
        ('[tables.people.personal]\nemial = "Clear"', "people.emial", "Did you mean email?"),
        ('[tables.people]\nnot_personal = ["emial"]', "people.emial", "Did you mean email?"),
        ('[tables.people.data_subject]\nidentifiers = ["emial"]', "people.emial", "email?"),
        ('[tables.people.personal]\nemail = "clear"', "people.email", "Did you mean Clear?"),
        ('[tables.people.personal]\nemail = "Anonymize"', "people.email", "Known are: Clear,"),
        ('[tables.people.personal]\nemail = "Delete"', "people.email", "not an action here"),
        ('[tables.people.personal]\nemail = {action = "Replace"}', "people.email", "needs value"),
        ("[tables.people.personal]\nemail = {}", "people.email", "personal needs action"),
        ('[tables.people.personal]\nemail = {action = "Clear", vai = ""}', "people.email", "via?"),
        ("[tables.people.personal]\nemail = 5", "people.email", "personal must be a table"),
        ("[tables.people]\npersonal = 5", "people", "[tables.people.personal]"),
        (
            "[tables.people]\nnot_personal = 5",
            "people",
            'not_personal must be a list: not_personal = ["locale"]',
        ),
        ("[tables]\npeople = 5", "people", "[tables.people]"),
        ("tables = 5", "(file)", "[tables.users]"),
        ('[tables.people.data_subject]\naction = "Retain"', "people", "not an action here"),
        ("[tables.people.data_subject]\naction = 5", "people", "action must be a name"),
        ("[tables.people.data_subject]\nidentifiers = 5", "people", "list of names"),
        ("[tables.people.data_subject]\ndeleted_at = 5", "people", "can't be of type int"),
        ("[tables.people]\nno_personal_data = {}", "people", "no_personal_data needs reason"),
        (
            RETAIN,
            "people",
            "Did you mean legal obligation?",
        ),
        (
            '[tables.people.on_close]\naction = "Delete"\nvia = {column = "id"}',
            "people",
            'Add link = "…", with one of: Match',
        ),
        (
            MATCH,
            "people",
            "Did you mean shared?",
        ),
    ],
)
def test_what_is_not_known_gets_the_nearest_that_is(tmp_path, text, place, says):
    found = refused(tmp_path, text, people(Column("email", String)))

    assert [where for where, _ in found] == [place]
    assert says in found[0][1]


def test_everything_unknown_is_reported_at_once(tmp_path):
    text = '[tables.poeple]\n[tables.people.personal]\nname = "Cleer"\n'

    found = refused(tmp_path, text, people(Column("name", String)))

    assert [where for where, _ in found] == ["poeple", "people.name"]


@pytest.mark.parametrize(
    ("type_", "value"), [(Enum(Status), "SHUT"), (Uuid, "x"), (Numeric, "x"), (LargeBinary, "x")]
)
def test_a_replacement_that_is_no_value_of_the_column_is_refused(tmp_path, type_, value):
    text = f'[tables.people.personal]\na = {{action = "Replace", value = "{value}"}}'

    found = refused(tmp_path, text, people(Column("a", type_)))

    assert [where for where, _ in found] == ["people.a"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[tables.people]\nnot_personal = ["secret', 2),
        ("[tables.people\n", 1),
        ("\n\n[tables.people.personal]\nname =", 4),
        ("[tables]\n[tables]\n", 2),
    ],
)
def test_half_a_file_is_an_error_of_its_own_with_the_line_and_no_value(tmp_path, text, line):
    with pytest.raises(UnreadableFileError) as caught:
        read(tmp_path, text)

    assert caught.value.line == line
    assert f"not valid TOML at line {line}." in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_file_that_is_no_text_says_in_which_line(tmp_path):
    path = tmp_path / "efface.toml"
    path.write_bytes(b"[tables]\n# caf\xe9\n")

    with pytest.raises(UnreadableFileError, match="not valid TOML at line 2"):
        Policy.from_file(path, people())
