"""Every table that mentions the subject, by which paths, in which order."""

import pytest
from sqlalchemy import Column, DateTime, ForeignKey, Integer, MetaData, String, Table

from efface import (
    Basis,
    Delete,
    Generic,
    MatchBy,
    Policy,
    Redact,
    Retain,
    Revoke,
    Unlink,
    data_subject,
    not_personal,
    on_close,
    personal,
)
from efface.graph.graph import build
from tests.support.schemas import forum


def schema(*tables, subject=None, unique=True):
    """A table of people, and *tables* given as name, columns and markers."""
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("email", String, not_personal(), unique=unique),
        Column("deleted_at", DateTime(timezone=True)),
        subject or data_subject(),
    )
    for name, *items in tables:
        Table(name, metadata, Column("id", Integer, primary_key=True), *items)
    return Policy.from_metadata(metadata)


def person(name="person_id"):
    """A column that refers to a person."""
    return Column(name, ForeignKey("people.id"))


def paths(policy):
    """Every path, by table."""
    graph, problems = build(policy)
    assert problems == ()
    return {name: [str(r.path) for r in found] for name, found in graph.relationships.items()}


def refusals(policy):
    """What the graph says against the links, as (code, table, text)."""
    return [(p.code, p.table, p.text) for p in build(policy)[1]]


def test_a_path_goes_on_through_the_link_of_the_next_table():
    policy = Policy.from_metadata(forum.Base.metadata)

    assert paths(policy)["invoices"] == ["invoices.order_id → orders.user_id → users.id"]
    assert paths(policy)["newsletter"] == ["newsletter.address → users.email"]


def test_children_come_before_the_tables_they_are_found_through():
    policy = schema(
        ("a_parents", person(), on_close(Delete(), via="person_id")),
        (
            "z_children",
            Column("parent_id", ForeignKey("a_parents.id")),
            on_close(Delete(), via="parent_id"),
        ),
    )

    graph, _ = build(policy)

    assert [table.name for table in graph.order] == ["z_children", "a_parents"]


def test_a_foreign_key_orders_tables_even_where_no_path_does():
    """Both are one hop away; deleting the parent first would break the child's key."""
    policy = schema(
        ("a_threads", person(), on_close(Delete(), via="person_id")),
        (
            "z_replies",
            person(),
            Column("thread_id", ForeignKey("a_threads.id")),
            on_close(Delete(), via="person_id"),
        ),
    )

    graph, _ = build(policy)

    assert [table.name for table in graph.order] == ["z_replies", "a_threads"]


def test_a_circle_of_tables_has_an_order():
    policy = schema(
        (
            "a",
            person(),
            Column("b_id", ForeignKey("b.id", use_alter=True)),
            on_close(Redact(), via="person_id"),
        ),
        ("b", Column("a_id", ForeignKey("a.id")), on_close(Redact(), via="a_id")),
    )

    graph, problems = build(policy)

    assert problems == ()
    assert [table.name for table in graph.order] == ["b", "a"]


@pytest.mark.parametrize(
    ("link", "code", "says"),
    [
        ("nowhere", "E201", "is not a column"),
        ("number", "E201", "number has no foreign key"),
        ("island_id", "E201", "which has no relationship to people"),
        ("message_id", "E202", 'via="message_id.sender_id" or via="message_id.recipient_id"'),
        ("ring_id", "E201", "runs in a circle"),
        (MatchBy("nowhere", equals="people.email"), "E201", "is not a column"),
        (MatchBy("number", equals="people.nowhere"), "E201", "is not a column"),
        (MatchBy("number", equals="strangers.email"), "E201", "not a column of this policy"),
        (MatchBy("island_id", equals="people.email"), "E201", "island_id refers to islands.id"),
    ],
)
def test_a_link_that_leads_nowhere_is_reported(link, code, says):
    policy = schema(
        ("islands",),
        (
            "messages",
            person("sender_id"),
            person("recipient_id"),
            on_close(Redact(), via="sender_id"),
            on_close(Redact(), via="recipient_id"),
        ),
        (
            "rings",
            Column("ring_id", ForeignKey("notes.id", use_alter=True)),
            on_close(Redact(), via="ring_id"),
        ),
        (
            "notes",
            Column("number", Integer),
            Column("island_id", ForeignKey("islands.id")),
            Column("message_id", ForeignKey("messages.id")),
            Column("ring_id", ForeignKey("rings.id")),
            on_close(Redact(), via=link),
        ),
    )

    found = [each for each in refusals(policy) if each[1] == "notes"]

    assert [(c, says in text) for c, _, text in found] == [(code, True)]


def test_an_ambiguous_hop_is_named_with_a_dot():
    policy = schema(
        (
            "messages",
            person("sender_id"),
            person("recipient_id"),
            on_close(Redact(), via="sender_id"),
            on_close(Redact(), via="recipient_id"),
        ),
        (
            "files",
            Column("message_id", ForeignKey("messages.id")),
            on_close(Delete(), via="message_id.sender_id"),
        ),
    )

    assert paths(policy)["files"] == ["files.message_id → messages.sender_id → people.id"]


def test_a_reply_can_be_found_through_whom_it_answers():
    """The same table twice on one path is no circle while the link goes on elsewhere."""
    policy = schema(
        (
            "comments",
            person("author_id"),
            Column("parent_id", ForeignKey("comments.id")),
            on_close(Redact(), via="author_id"),
            on_close(Redact(), via="parent_id.author_id"),
        ),
    )

    assert paths(policy)["comments"] == [
        "comments.author_id → people.id",
        "comments.parent_id → comments.author_id → people.id",
    ]


def test_a_value_that_several_people_may_share_reaches_nobody_by_accident():
    """A link by a value that is not unique could erase the rows of others."""
    link = MatchBy("address", equals="people.email")
    shared = MatchBy("address", equals="people.email", shared=True)

    def policy(via):
        return schema(
            ("letters", Column("address", String), on_close(Delete(), via=via)), unique=False
        )

    assert [(c, t) for c, t, _ in refusals(policy(link))] == [("E201", "letters")]
    assert refusals(policy(shared)) == []


def test_a_person_cannot_be_deleted_while_something_must_stay():
    """T01: refused with the reason."""
    retain = Retain("P10Y", Basis.LEGAL_OBLIGATION, "tax law")
    policy = schema(
        ("tokens", person(), on_close(Revoke(), via="person_id")),
        ("invoices", person(), on_close(retain, via="person_id")),
        subject=data_subject(Delete(), not_personal=["email"]),
    )

    found = refusals(policy)

    assert [(code, table) for code, table, _ in found] == [("E103", "people")]
    assert "Rows of invoices are kept (tax law)" in found[0][2]


def test_a_person_cannot_be_deleted_while_an_undeclared_row_refers_to_them():
    policy = schema(
        (
            "notes",
            person(),
            person("editor_id"),
            on_close(Delete(), via="person_id"),
        ),
        subject=data_subject(Delete()),
    )

    assert "(no rule for editor_id)" in refusals(policy)[0][2]


def test_a_person_nothing_refers_to_can_be_deleted():
    policy = schema(
        ("tokens", person(), on_close(Revoke(), via="person_id")),
        subject=data_subject(Delete()),
    )

    assert refusals(policy) == []


@pytest.mark.parametrize("action", [Unlink(), None])
def test_a_person_can_be_deleted_whom_rows_stop_to_refer_to(action):
    """An order stays, of nobody."""
    mark = personal(action) if action else not_personal()
    policy = schema(
        ("orders", Column("person_id", ForeignKey("people.id"), mark),
         on_close(Redact(), via="person_id")),
        subject=data_subject(Delete()),
    )  # fmt: skip

    assert [(code, table) for code, table, _ in refusals(policy)] == (
        [] if action else [("E103", "people")]
    )


def test_a_person_cannot_be_deleted_while_a_row_about_them_stays_that_they_wrote():
    """Staff who edit their own account: the entry is redacted and would refer to nobody."""
    about = Generic("kind", "key", type="person")
    policy = schema(
        ("log", person(), Column("kind", String), Column("key", String),
         on_close(Delete(), via="person_id"), on_close(Redact(), via=about)),
        subject=data_subject(Delete()),
    )  # fmt: skip

    assert [(code, table) for code, table, _ in refusals(policy)] == [("E103", "people")]
