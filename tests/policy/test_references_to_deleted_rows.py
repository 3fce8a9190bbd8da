"""Links that lose their rows, and rows that stay while the rows they refer to go."""

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table

from efface import (
    Basis,
    Clear,
    Delete,
    Eraser,
    MatchBy,
    Policy,
    Redact,
    Retain,
    Revoke,
    data_subject,
    on_close,
    personal,
)
from efface.errors import LostRelationshipError, raise_problems
from efface.policy.actions import Unlink
from efface.policy.check import check
from tests.policy.relationships import said, schema

RETAIN = Retain("P10Y", Basis.LEGAL_OBLIGATION, "tax law")


# ---------------------------------------------------------------- through rows that go


def orders_and_invoices(order, invoice, *, via="order_id", **reference):
    metadata = schema()
    Table(
        "orders",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("buyer_id", ForeignKey("people.id"), index=True),
        Column("payer_id", ForeignKey("people.id"), index=True),
        *order,
    )
    key = ForeignKey("orders.id", **reference)
    Table("invoices", metadata, Column("order_id", key, index=True), on_close(invoice, via=via))
    return metadata


@pytest.mark.parametrize("parent", [Delete(), Revoke()])
@pytest.mark.parametrize("child", [Redact(), RETAIN])
def test_rows_cannot_stay_when_the_rows_they_refer_to_go(parent, child):
    order = [on_close(parent, via="buyer_id"), on_close(parent, via="payer_id")]
    metadata = orders_and_invoices(order, child, via="order_id.buyer_id")

    problems = check(Policy.from_metadata(metadata))

    assert [(p.code, p.place) for p in problems] == [("E203", "invoices")]
    assert problems[0].paste.splitlines() == [
        'on_close(Redact(), via="buyer_id")',
        'on_close(Redact(), via="payer_id")',
    ]
    with pytest.raises(LostRelationshipError):
        raise_problems(problems)


@pytest.mark.parametrize(
    ("parent", "child", "reference"),
    [
        (Redact(), RETAIN, {}),
    ],
)
def test_rows_stay_with_their_parents(parent, child, reference):
    order = [on_close(parent, via="buyer_id"), on_close(parent, via="payer_id")]

    assert said(orders_and_invoices(order, child, via="order_id.buyer_id", **reference)) == []


@pytest.mark.parametrize(
    ("child", "reference", "code"),
    [(Delete(), {}, "W103"), (Redact(), {"ondelete": "set null"}, "E203")],
)
def test_rows_that_go_by_one_link_outlast_parents_that_go_by_two(child, reference, code):
    """An invoice of an order that Grace pays for: nothing leads from it to her."""
    order = [on_close(Delete(), via="buyer_id"), on_close(Delete(), via="payer_id")]
    metadata = orders_and_invoices(order, child, via="order_id.buyer_id", **reference)

    assert said(metadata) == [(code, "invoices.order_id")]


def test_rows_stay_when_their_reference_is_unlinked():
    order = [on_close(Delete(), via="buyer_id"), on_close(Delete(), via="payer_id")]
    metadata = orders_and_invoices(order, Redact(), via="order_id.buyer_id")
    personal(Unlink())._set_parent(metadata.tables["invoices"].c.order_id)

    assert said(metadata) == []


@pytest.mark.parametrize("via", ["order_id.buyer_id", "order_id.payer_id"])
def test_of_several_links_of_the_parent_each_by_which_it_goes_counts(via):
    """Whatever keeps the invoice, whoever else is at the other end takes its order away."""
    order = [on_close(Redact(), via="buyer_id"), on_close(Delete(), via="payer_id")]

    (found,) = check(Policy.from_metadata(orders_and_invoices(order, RETAIN, via=via)))

    assert (found.code, found.place) == ("E203", "invoices")
    assert found.paste == 'on_close(Redact(), via="payer_id")'


def posts_and_comments(*links, ondelete=None, marks=()):
    """Posts that go with their author; comments with an author and a post, and these links."""
    metadata = schema()
    person = Column("author_id", ForeignKey("people.id"), index=True)
    key = Column("id", Integer, primary_key=True)
    Table("posts", metadata, key, person, on_close(Delete(), via="author_id"))
    Table(
        "comments",
        metadata,
        Column("author_id", ForeignKey("people.id"), index=True),
        Column("post_id", ForeignKey("posts.id", ondelete=ondelete), *marks, index=True),
        *(on_close(action, via=via) for via, action in links),
    )
    return metadata


@pytest.mark.parametrize("action", [Redact(), RETAIN])
def test_rows_that_stay_by_a_link_of_their_own_cannot_refer_to_rows_that_go(action):
    """A comment of Grace's on Ada's post: nothing leads from it to Ada."""
    metadata = posts_and_comments(("author_id", action))

    (found,) = check(Policy.from_metadata(metadata))

    assert (found.code, found.place) == ("E203", "comments")
    assert found.paste == 'on_close(Redact(), via="author_id")'


@pytest.mark.parametrize(
    ("links", "options"),
    [
        # They go along, whoever they are by, or are unlinked.
        ([("author_id", Delete()), ("post_id", Delete())], {}),
        ([("author_id", Redact()), ("post_id", Redact())],
         {"marks": [personal(Unlink(), via="post_id")]}),
        ([("author_id", Redact())], {"marks": [personal(Unlink())]}),
    ],
)  # fmt: skip
def test_rows_that_go_along_or_let_go_are_no_problem(links, options):
    assert said(posts_and_comments(*links, **options)) == []


@pytest.mark.parametrize(
    ("action", "ondelete", "code"),
    [
        (Redact(), "SET NULL", "E203"),
        (Redact(), "CASCADE", "E203"),
        (Delete(), "CASCADE", "E203"),
        # Perhaps comments are only ever on posts of one's own.
        (Delete(), None, "W103"),
    ],
)
def test_comments_of_others_on_posts_that_go_are_named(action, ondelete, code):
    metadata = posts_and_comments(("author_id", action), ondelete=ondelete)

    assert said(metadata) == [(code, "comments.post_id")]


@pytest.mark.parametrize(
    ("links", "marks"),
    [
        ([("author_id", Redact()), ("post_id", Delete())], []),
        ([("author_id", RETAIN), ("post_id", Delete())], []),
        ([("author_id", RETAIN), ("post_id", Redact())], [personal(Unlink(), via="post_id")]),
    ],
)
def test_rows_that_may_stay_only_where_one_person_is_at_both_ends_are_a_warning(links, marks):
    """A comment of Ada's on Ada's post; whether there are any, the application knows."""
    found = check(Policy.from_metadata(posts_and_comments(*links, marks=marks)))

    assert [(p.code, p.place, p.level) for p in found] == [("W103", "comments.post_id", "warning")]
    assert found[0].paste == 'on_close(Redact(), via="author_id")'


def test_a_link_that_is_cut_keeps_no_row_and_is_no_warning():
    metadata = posts_and_comments(("author_id", Redact()), ("post_id", Delete()))
    personal(Unlink(), via="author_id")._set_parent(metadata.tables["comments"].c.author_id)

    assert said(metadata) == []


def test_what_is_to_be_kept_is_not_left_to_a_cascade():
    assert said(posts_and_comments(("author_id", RETAIN), ondelete="CASCADE")) == [
        ("E203", "comments")
    ]


def test_people_who_stay_cannot_refer_to_rows_that_go():
    metadata = schema()
    key = Column("id", Integer, primary_key=True)
    owner = Column("owner_id", ForeignKey("people.id"), index=True)
    Table("teams", metadata, key, owner, on_close(Delete(), via="owner_id"))
    metadata.tables["people"].append_column(Column("team_id", ForeignKey("teams.id")))

    assert said(metadata) == [("E203", "people")]


@pytest.mark.parametrize("initially", ["IMMEDIATE", "DEFERRED"])
def test_people_can_let_go_of_rows_that_go(initially):
    """The person's own row is written last, so the key is set to NULL before, or waits."""
    metadata = schema()
    owner = Column("owner_id", ForeignKey("people.id"), index=True)
    Table("teams", metadata, Column("id", Integer, primary_key=True), owner,
          on_close(Delete(), via="owner_id"))  # fmt: skip
    key = ForeignKey("teams.id", deferrable=True, initially=initially)
    metadata.tables["people"].append_column(Column("team_id", key, personal(Unlink())))

    assert said(metadata) == []


# ---------------------------------------------------------------- to a person's row that goes


def orders_of_people_who_go(by_value, *marks, **reference):
    metadata = MetaData()
    email = Column("email", String, unique=True)
    Table("people", metadata, Column("id", Integer, primary_key=True), email,
          data_subject(Delete()))  # fmt: skip
    key = ForeignKey("people.id", **reference)
    Table(
        "orders",
        metadata,
        Column("person_id", key, *marks, index=True),
        Column("email", String, personal(Clear(), via=BY_VALUE), index=True),
        on_close(Delete(), via="person_id"),
        on_close(by_value, via=BY_VALUE),
    )
    return [
        (p.code, p.place) for p in Eraser(Policy.from_metadata(metadata), secret="k" * 16).check()
    ]


BY_VALUE = MatchBy("email", equals="people.email")


def test_a_row_that_is_kept_by_value_cannot_refer_to_a_person_who_goes():
    assert orders_of_people_who_go(RETAIN) == [("E103", "people")]
    # Nor is it to go with a cascade.
    assert orders_of_people_who_go(RETAIN, ondelete="CASCADE") == [("E103", "people")]


@pytest.mark.parametrize(
    ("action", "reference"),
    [(Delete(), {}), (Redact(), {}), (RETAIN, {"ondelete": "SET NULL"})],
)
def test_a_row_that_goes_or_lets_go_keeps_no_person(action, reference):
    """The address that would keep the row is cleared, so it goes by the other link."""
    kept = [("W109", "orders.person_id")] if reference else []
    assert orders_of_people_who_go(action, **reference) == kept
