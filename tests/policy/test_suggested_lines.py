"""Lines to paste for what is undecided: each is possible itself, and leads to people."""

from datetime import time, timedelta

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Time,
    Uuid,
)

from efface import (
    Clear,
    Delete,
    Generalize,
    Placeholder,
    Policy,
    Redact,
    Replace,
    data_subject,
    no_personal_data,
    not_personal,
    on_close,
    personal,
)
from efface.catalog.metadata import UNMANAGED, VIEW
from efface.policy.check import check

NAMES = {
    each.__name__: each for each in (Generalize, Placeholder, Replace, personal, time, timedelta)
}


def found(*tables):
    """What `check` says of people and these tables, each with its columns and markers."""
    metadata = MetaData()
    gone = Column("deleted_at", DateTime(timezone=True))
    for name, *items in (("people", gone, data_subject()), *tables):
        Table(name, metadata, Column("id", Integer, primary_key=True), *items)
    return check(Policy.from_metadata(metadata))


@pytest.mark.parametrize(
    "type_",
    [
        Integer,
        Float,
        Numeric,
        Date,
        DateTime,
        Time,
        Interval,
        Uuid,
        LargeBinary,
        JSON,
        String(2),
        String(20),
    ],
)
def test_the_line_for_an_undecided_column_fits_its_type(type_):
    link = Column("by", ForeignKey("people.id"), index=True)
    (problem,) = found(("notes", link, Column("a", type_, nullable=False), leaving("by")))

    line, other = problem.paste.splitlines()
    pasted = eval(line, NAMES)

    link = Column("by", ForeignKey("people.id"), index=True)
    assert found(("notes", link, Column("a", type_, pasted, nullable=False), leaving("by"))) == ()
    assert other == "not_personal()"


def leaving(via):
    return on_close(Redact(), via=via)


def test_of_a_unique_number_there_is_nothing_to_suggest_but_that_it_says_nothing():
    link = Column("by", ForeignKey("people.id"), index=True)
    number = Column("a", Integer, nullable=False, unique=True)
    (problem,) = found(("notes", link, number, leaving("by")))

    assert problem.paste == "not_personal()"


@pytest.mark.parametrize("nullable", [True, False])
def test_yes_or_no_says_nothing_about_a_user(nullable):
    link = Column("by", ForeignKey("people.id"), index=True)
    (problem,) = found(("notes", link, Column("a", Boolean, nullable=nullable), leaving("by")))

    assert problem.paste == "not_personal()"


def test_of_two_links_the_line_says_whose_value_it_is():
    links = [Column(name, ForeignKey("people.id"), index=True) for name in ("by", "to")]
    text = Column("text", String, personal(Clear()))
    (problem,) = found(("notes", *links, text, leaving("by"), leaving("to")))

    assert problem.paste == 'personal(Clear(), via="by")'


@pytest.mark.parametrize(
    "columns",
    [
        ["ip", "remote_ip", "ip_address", "client_ipaddr", "ipv6"],
        ["ship", "zip", "recipient", "tip_address"],
    ],
)
def test_the_address_of_a_computer_is_made_coarser(columns):
    link = Column("by", ForeignKey("people.id"), index=True)
    texts = [Column(name, String(45)) for name in columns]
    lines = [each.paste.splitlines()[0] for each in found(("notes", link, *texts, leaving("by")))]

    is_address = columns[0] == "ip"
    assert set(lines) == {'personal(Generalize("/24"))' if is_address else "personal(Clear())"}


@pytest.mark.parametrize(
    ("type_", "check", "line"),
    [
        (Integer, "a IN (1, 2)", "personal(Replace(1))"),
        (Integer, "a > 3", "personal(Replace(4))"),
        (Numeric, "a BETWEEN 5 AND 7", "personal(Replace(5))"),
        (String(20), "a IN ('open', 'done')", 'personal(Replace("open"))'),
        (String(20), "length(a) > 0", 'personal(Replace("..."))'),
        (Enum("on", "off"), "a = 'off'", 'personal(Replace("off"))'),
        # Of what the other column holds, nothing is known.
        (Integer, "a > 3 OR by > 1", "personal(Replace(0))"),
    ],
)
@pytest.mark.parametrize("on_column", [True, False])
def test_the_value_to_paste_is_one_that_the_checks_accept(type_, check, line, on_column):
    link = Column("by", ForeignKey("people.id"), index=True)
    constraint = CheckConstraint(check)
    column = Column("a", type_, *([constraint] if on_column else []), nullable=False)
    items = [link, column, *([] if on_column else [constraint]), leaving("by")]

    (problem,) = [each for each in found(("notes", *items)) if each.code == "E101"]

    assert problem.paste.splitlines() == [line, "not_personal()"]


def test_a_key_that_other_rows_repeat_has_no_other_value():
    key = Column("code", String(20), unique=True, nullable=False)
    link = Column("by", ForeignKey("people.id"), index=True)
    (problem,) = found(("notes", link, key, leaving("by")), ("more", refers("notes", "n", "code"),
        no_personal_data(reason="words")))  # fmt: skip

    assert problem.paste == "not_personal()"


def refers(to, name=None, column="id", *, required=False, **options):
    key = ForeignKey(f"{to}.{column}", **options)
    return Column(name or to, key, nullable=not required, index=True)


WORDS = ("words", no_personal_data(reason="words"))


def suggested(*tables):
    """The line for the undecided table `notes`."""
    (problem,) = [each for each in found(*tables) if each.place == "notes"]
    return problem.paste


def part_of(to, name=None):
    """A reference of a row that the model deletes with the other one."""
    return refers(to, name, required=True, ondelete="CASCADE")


def test_the_link_to_paste_is_the_one_that_leads_to_people():
    lines = suggested(WORDS, ("notes", refers("words", "a"), refers("people")))

    assert lines.splitlines()[0] == '__table_args__ = (on_close(Redact(), via="people"),)'


def test_rows_that_the_model_deletes_with_their_user_are_deleted():
    assert suggested(("notes", part_of("people"))).splitlines() == [
        '__table_args__ = (on_close(Delete(), via="people"),)',
        '# or: __table_args__ = (on_close(Redact(), via="people"),)',
        '# or: __table_args__ = (no_personal_data(reason="..."),)',
    ]


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("said", ["SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION", None])
def test_rows_of_which_the_model_says_anything_else_are_kept(said, required):
    lines = suggested(("notes", refers("people", required=required, ondelete=said)))

    assert lines.splitlines() == [
        '__table_args__ = (on_close(Redact(), via="people"),)',
        *([] if required else ["personal(Unlink())    # on people"]),
        '# or: __table_args__ = (on_close(Delete(), via="people"),)',
        '# or: __table_args__ = (no_personal_data(reason="..."),)',
    ]


def test_rows_that_others_refer_to_are_kept():
    """Among these may be rows of other users."""
    below = ("replies", refers("notes"), refers("people"), leaving("people"))

    assert "Delete" not in suggested(("notes", part_of("people")), below).splitlines()[0]


def test_a_row_of_two_users_is_never_deleted_by_one_of_them():
    lines = suggested(("notes", refers("people", "approver"), part_of("people", "author")))

    assert lines.splitlines() == [
        '__table_args__ = (on_close(Redact(), via="author"), on_close(Redact(), via="approver"),)',
        'personal(Unlink(), via="approver")    # on approver',
        '# or: __table_args__ = (no_personal_data(reason="..."),)',
    ]


@pytest.mark.parametrize("names", [("approver", "author"), ("by", "sender"), ("editor", "user")])
def test_a_value_is_that_of_the_writer(names):
    links = [refers("people", name) for name in names]
    items = [*links, Column("text", String), *map(leaving, names)]
    (problem,) = found(("notes", *items))

    assert problem.paste.splitlines()[0] == f'personal(Clear(), via="{names[1]}")'


@pytest.mark.parametrize(("action", "first"), [(Delete(), "Delete"), (Redact(), "Redact")])
def test_a_part_of_a_row_goes_on_through_it(action, first):
    posts = ("posts", part_of("people"), on_close(action, via="people"))
    lines = suggested(WORDS, posts, ("notes", refers("words", "a"), part_of("posts")))

    assert lines.splitlines()[0] == f'__table_args__ = (on_close({first}(), via="posts"),)'


@pytest.mark.parametrize(
    ("post", "note"),
    [
        (part_of, refers),
        (refers, part_of),
        (part_of, lambda to: refers(to, required=True)),
        (lambda to: refers(to, required=True, ondelete="RESTRICT"), part_of),
    ],
)
def test_what_outlasts_a_row_belongs_to_no_user_because_of_it(post, note):
    posts = ("posts", post("people"), on_close(Redact(), via="people"))

    assert suggested(posts, ("notes", note("posts"))).splitlines() == [
        '__table_args__ = (no_personal_data(reason="..."),)',
        '# or: __table_args__ = (on_close(Redact(), via="posts"),)',
    ]


def test_where_that_one_has_several_links_it_names_the_one_of_the_writer():
    links = [on_close(Delete(), via=name) for name in ("other", "author")]
    posts = ("posts", part_of("people", "author"), refers("people", "other"), *links)
    lines = suggested(posts, ("notes", part_of("posts")))

    assert lines.splitlines()[0] == '__table_args__ = (on_close(Delete(), via="posts.author"),)'


def test_rows_below_those_of_two_users_are_not_those_of_the_second_one():
    links = [on_close(Redact(), via=name) for name in ("author", "other")]
    posts = ("posts", refers("people", "author"), part_of("people", "other"), *links)
    lines = suggested(posts, ("notes", part_of("posts")))

    assert lines.splitlines()[0] == '__table_args__ = (no_personal_data(reason="..."),)'


def test_a_table_that_leads_to_nobody_is_suggested_as_unrelated():
    shelf = ("shelf", refers("people"), no_personal_data(reason="shelves"))
    line = suggested(WORDS, shelf, ("notes", refers("words"), refers("shelf")))

    assert line == '__table_args__ = (no_personal_data(reason="..."),)'


@pytest.mark.parametrize("info", [VIEW, UNMANAGED])
def test_a_view_has_no_rows_of_its_own(info):
    metadata = MetaData()
    gone = Column("deleted_at", DateTime(timezone=True))
    Table("people", metadata, Column("id", Integer, primary_key=True), gone, data_subject())
    Table("cards", metadata, part_of("people"), info={info: True})
    (problem,) = check(Policy.from_metadata(metadata))

    first, *others = problem.paste.splitlines()
    assert first == '__table_args__ = (no_personal_data(reason="a view"),)'
    assert "Delete" not in problem.paste
    assert bool(others) == (info == UNMANAGED)


@pytest.mark.parametrize("said", ["SET NULL", "SET DEFAULT", "RESTRICT", "CASCADE", "NO ACTION"])
def test_a_rule_that_deletes_what_the_model_keeps_is_a_warning(said):
    by = refers("people", ondelete=said)
    problems = found(("notes", by, on_close(Delete(), via="people")))

    kept = said not in ("CASCADE", "NO ACTION")
    assert [(p.code, p.place) for p in problems] == [("W109", "notes.people")] * kept


def test_that_warning_ends_when_the_column_says_that_it_is_meant():
    key = ForeignKey("people.id", ondelete="SET NULL")
    by = Column("by", key, not_personal(), index=True)

    assert found(("notes", by, on_close(Delete(), via="by"))) == ()


def test_the_key_of_a_user_stays():
    metadata = MetaData()
    gone = Column("deleted_at", DateTime(timezone=True))
    key = Column("login", String(20), primary_key=True)
    Table("people", metadata, key, gone, data_subject())
    (problem,) = check(Policy.from_metadata(metadata))

    assert (problem.place, problem.paste) == ("people.login", "not_personal()")


@pytest.mark.parametrize("back", ["people", None])
@pytest.mark.parametrize("reference", [part_of, refers])
def test_tables_that_refer_to_each_other_in_a_circle_get_lines(reference, back):
    """And to themselves; a path to users is one that comes nearer to them."""
    own = [refers("people", "seen_by")] if back else []
    one = ("one", reference("two"), refers("one", "parent"))
    two = ("two", reference("three"), refers("two", "parent"), *own)
    three = ("three", reference("one"), refers("three", "parent"))

    lines = {each.place: each.paste for each in found(one, two, three) if each.column is None}

    first = 'no_personal_data(reason="...")'
    assert f"({first},)" in lines["one"].splitlines()[0]
    assert f"({first},)" in lines["three"].splitlines()[0]
    assert (first in lines["two"].splitlines()[0]) == (back is None)


def test_a_table_that_refers_to_itself_is_no_part_of_its_own_rows():
    posts = ("posts", refers("people", "author"), part_of("people", "seen_by"))
    notes = ("notes", part_of("posts"), refers("notes", "parent"))

    lines = suggested(posts, notes)

    assert lines.splitlines() == [
        '__table_args__ = (no_personal_data(reason="..."),)',
        '# or: __table_args__ = (on_close(Redact(), via="posts.author"),)',
    ]
