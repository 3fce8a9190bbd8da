"""A policy as TOML: the words of the markers, there and back, and what is said to a misspelling."""

import enum
import subprocess
import sys
from datetime import date
from decimal import Decimal
from itertools import product
from typing import get_args, get_origin
from uuid import UUID

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Uuid,
    create_engine,
)

from efface import (
    Basis,
    Clear,
    Delete,
    MatchBy,
    Placeholder,
    Policy,
    Redact,
    Replace,
    ReplaceMentions,
    Retain,
    Revoke,
    data_subject,
    not_personal,
    on_close,
    personal,
)
from efface.errors import (
    MissingExtraError,
    PolicyFileError,
    UnreadableFileError,
)
from efface.policy.actions import ColumnAction, Generalize, RowAction, Unlink
from efface.policy.check import check
from efface.policy.relationships import Generic, OwnedBy, Via
from tests.support.schemas import forum

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


class Status(enum.Enum):
    """What an account can be."""

    OPEN = 1
    GONE = 2


def without_markers(metadata):
    """The same schema as a database tells it."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    reflect = MetaData()
    reflect.reflect(engine)
    engine.dispose()
    return reflect


def people(*columns, marker=None):
    """A table of people that nobody has marked yet, with these further columns."""
    metadata = MetaData()
    key = Column("id", Integer, primary_key=True)
    gone = Column("deleted_at", DateTime(timezone=True))
    Table("people", metadata, key, gone, *columns, *([marker] if marker else []))
    return metadata


def read(tmp_path, text, metadata=None):
    """The policy that *text* declares."""
    path = tmp_path / "efface.toml"
    path.write_text(text, encoding="utf-8")
    return Policy.from_file(path, metadata if metadata is not None else people())


def refused(tmp_path, text, metadata=None):
    """What is said about *text*: the texts of all problems, with their places."""
    with pytest.raises(PolicyFileError) as caught:
        read(tmp_path, text, metadata)
    return [(problem.place, problem.text) for problem in caught.value.problems]


# ---------------------------------------------------------------- there and back


@pytest.mark.parametrize("metadata", [forum.Base.metadata, without_markers(forum.Base.metadata)])
def test_a_policy_written_and_read_again_is_the_same(tmp_path, metadata):
    """With the markers still there, and for a schema that has none."""
    policy = Policy.from_metadata(forum.Base.metadata)

    policy.to_file(tmp_path / "efface.toml")

    assert Policy.from_file(tmp_path / "efface.toml", metadata).digest == policy.digest


def test_every_word_of_the_markers_stands_in_the_file(tmp_path):
    forum.eraser().policy.to_file(tmp_path / "efface.toml")

    lines = (tmp_path / "efface.toml").read_text().splitlines()

    for line in (
        "[tables.users.data_subject]",
        'identifiers = ["email", "name"]',
        "[[tables.posts.on_close]]",
        'action = "Redact"',
        'via = "author_id"',
        'via = {link = "MatchBy", column = "address", equals = "users.email"}',
        'period = "P10Y"',
        'basis = "legal obligation"',
        'reason = "tax law"',
        'start = "calendar-year-end"',
        "[tables.users.personal]",
        'name = "Clear"',
        'email = {action = "Placeholder", suffix = "@users.invalid"}',
        'not_personal = ["title"]',
        'no_personal_data = {reason = "a fixed list"}',
    ):
        assert line in lines


def test_every_action_and_link_of_the_vocabulary_survives(tmp_path):
    """Whatever is added to the vocabulary must have a file form, by its own words."""
    column_actions = {
        Clear(), Replace(""), Placeholder.email(), Placeholder(digits=20), ReplaceMentions("x"),
        Unlink(), Generalize("year"), Generalize(3),
    }  # fmt: skip
    row_actions = {Delete(), Redact(), Revoke(), Retain("P1Y", Basis.CONTRACT, "x", start="a")}
    described = {MatchBy("a", equals="t0.a"), OwnedBy(by="t0.a"), Generic("a", "b", type="x")}
    links = {"a", ("a", "b"), *described}
    assert {type(each) for each in column_actions} == set(get_args(ColumnAction))
    assert {type(each) for each in row_actions} == set(get_args(RowAction))
    assert {type(each) for each in links} == {get_origin(h) or h for h in get_args(Via)}

    def schema(*, marked):
        metadata = MetaData()
        pairs = product(sorted(row_actions, key=repr), sorted(links, key=repr))
        for number, (action, via) in enumerate(pairs):
            names = ("a", "b")
            marks = [on_close(action, via=via)] if marked else []
            Table(f"t{number}", metadata, *(Column(name, Integer) for name in names), *marks)
        for number, action in enumerate(sorted(column_actions, key=repr)):
            marks = [personal(action)] if marked else []
            Table(f"c{number}", metadata, Column("a", String, *marks))
        return metadata

    policy = Policy.from_metadata(schema(marked=True))

    policy.to_file(tmp_path / "efface.toml")

    read_again = Policy.from_file(tmp_path / "efface.toml", schema(marked=False))
    assert read_again.digest == policy.digest


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (String, 'He said: "no" — \\ and\nwent'),
        (Integer, 0),
        (Boolean, False),
        (Date, date(1900, 1, 1)),
        (Numeric, Decimal("0.10")),
        (Uuid, UUID(int=0)),
        (LargeBinary, b"\x00\xff"),
        (Enum(Status), Status.GONE),
        (JSON, None),
        (JSON, {"by": [None, {"name": ""}]}),
        (JSON, []),
    ],
)
def test_a_replacement_keeps_its_type(tmp_path, type_, value):
    marked = people(Column("a", type_, personal(Replace(value))))
    policy = Policy.from_metadata(marked)

    policy.to_file(tmp_path / "efface.toml")
    again = Policy.from_file(tmp_path / "efface.toml", people(Column("a", type_)))

    assert again.tables["people"].columns["a"] == policy.tables["people"].columns["a"]


def test_composite_links_later_actions_and_whose_it_is_survive(tmp_path):
    def schema(*markers, whose=None):
        metadata = people(marker=data_subject(Delete()) if markers else None)
        body = Column("body", String, *([personal(Clear(), via=whose)] if whose else []))
        keys = [Column(name, Integer) for name in ("a", "b", "c")]
        Table("notes", metadata, *keys, body, *markers)
        return metadata

    retain = Retain("P1Y", Basis.CONTRACT, "warranty", then=Redact())
    match = MatchBy("c", equals="people.id", shared=True)
    policy = Policy.from_metadata(
        schema(on_close(retain, via=("a", "b")), on_close(Redact(), via=match), whose=match)
    )

    policy.to_file(tmp_path / "efface.toml")
    again = Policy.from_file(tmp_path / "efface.toml", schema())

    assert again.tables["notes"].close_rules == policy.tables["notes"].close_rules
    assert again.digest == policy.digest


def test_tables_of_a_schema_keep_their_names(tmp_path):
    def schema(**marks):
        metadata = MetaData(schema="b.c")
        Table("Group", metadata, Column("x y", Integer, *marks.get("column", ())))
        Table("user", metadata, Column("name", String), schema="a")
        return metadata

    policy = Policy.from_metadata(schema(column=[not_personal()]))

    policy.to_file(tmp_path / "efface.toml")

    assert Policy.from_file(tmp_path / "efface.toml", schema()).digest == policy.digest
    dotted = read(tmp_path, '[tables.a.user.personal]\nname = "Clear"', schema())
    assert [m.action for m in dotted.tables["a.user"].personal_columns()] == [Clear()]


def test_a_column_with_a_decision_for_each_link_keeps_both(tmp_path):
    def schema(*marks):
        return people(Column("a", String, *marks))

    first, second = personal(Clear(), via="x"), personal(Placeholder(prefix=""), via="y")
    policy = Policy.from_metadata(schema(first, second))

    policy.to_file(tmp_path / "efface.toml")

    assert Policy.from_file(tmp_path / "efface.toml", schema()).digest == policy.digest


def test_a_value_that_a_file_cannot_hold_is_refused(tmp_path):
    policy = Policy.from_metadata(people(Column("a", JSON, personal(Replace(object())))))

    with pytest.raises(ValueError, match="of type object can't be written"):
        policy.to_file(tmp_path / "efface.toml")


# ---------------------------------------------------------------- an overlay


def test_a_file_decides_the_tables_that_one_does_not_own(tmp_path):
    metadata = people(marker=data_subject())
    Table("notes", metadata, Column("who", ForeignKey("people.id"), index=True))

    policy = read(tmp_path, '[[tables.notes.on_close]]\naction = "Delete"\nvia = "who"', metadata)

    assert check(policy) == ()
    assert [p.place for p in check(Policy.from_metadata(metadata))] == ["notes"]


def test_a_column_that_file_and_marker_decide_differently_is_a_conflict(tmp_path):
    metadata = people(Column("a", String, personal(Clear())), marker=data_subject())

    policy = read(tmp_path, '[tables.people]\nnot_personal = ["a"]\n', metadata)

    assert [(p.code, p.place) for p in check(policy)] == [("E104", "people.a")]


def test_what_the_file_only_repeats_is_one_decision(tmp_path):
    metadata = people(Column("a", String, personal(Clear())), marker=data_subject())

    policy = read(
        tmp_path, '[tables.people.personal]\na = "Clear"\n[tables.people.data_subject]\n', metadata
    )

    assert check(policy) == ()


# ---------------------------------------------------------------- misspelled


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


# ---------------------------------------------------------------- what it needs


def test_reading_needs_no_package_and_writing_says_which(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tomlkit", None)

    policy = read(tmp_path, '[tables.people.personal]\na = "Clear"', people(Column("a", String)))

    with pytest.raises(MissingExtraError, match=r'pip install "efface\[cli\]"'):
        policy.to_file(tmp_path / "again.toml")


def test_importing_a_policy_loads_no_tomlkit():
    code = "import sys, efface; print('tomlkit' in sys.modules)"

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
