"""Lines to paste for what is undecided: each is possible itself, and leads to people."""

from datetime import time, timedelta
from uuid import UUID

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
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
    Policy,
    Redact,
    Replace,
    data_subject,
    no_personal_data,
    on_close,
    personal,
)
from efface.policy.check import check

NAMES = {each.__name__: each for each in (Generalize, Replace, UUID, personal, time, timedelta)}


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
        Boolean,
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


def test_of_two_links_the_line_says_whose_value_it_is():
    links = [Column(name, ForeignKey("people.id"), index=True) for name in ("by", "to")]
    text = Column("text", String, personal(Clear()))
    (problem,) = found(("notes", *links, text, leaving("by"), leaving("to")))

    assert problem.paste == "personal(Clear(), via='by')"


def refers(to, name=None):
    return Column(name or to, ForeignKey(f"{to}.id"))


WORDS = ("words", no_personal_data(reason="words"))


def suggested(*tables):
    """The line for the undecided table `notes`."""
    (problem,) = [each for each in found(*tables) if each.place == "notes"]
    return problem.paste


def test_the_link_to_paste_is_the_one_that_leads_to_people():
    assert 'via="people"' in suggested(WORDS, ("notes", refers("words", "a"), refers("people")))


def test_where_none_does_at_once_it_goes_on_through_another_table():
    posts = ("posts", refers("people"), on_close(Delete(), via="people"))

    assert 'via="posts"' in suggested(
        WORDS, posts, ("notes", refers("words", "a"), refers("posts"))
    )


def test_where_that_one_has_several_links_it_names_one():
    links = [on_close(Delete(), via=name) for name in ("other", "people")]
    posts = ("posts", refers("people"), refers("people", "other"), *links)

    assert 'via="posts.other"' in suggested(posts, ("notes", refers("posts")))


def test_a_table_that_leads_to_nobody_is_suggested_as_unrelated():
    shelf = ("shelf", refers("people"), no_personal_data(reason="shelves"))
    line = suggested(WORDS, shelf, ("notes", refers("words"), refers("shelf")))

    assert line == '__table_args__ = (no_personal_data(reason="..."),)'
