"""A wrong rule is refused where it is written, with the line to write instead."""

import pytest
from sqlalchemy import Column, DateTime, ForeignKey, Integer, MetaData, Table, Text

from efface import (
    Basis,
    Clear,
    Delete,
    Generalize,
    Placeholder,
    Policy,
    Redact,
    Replace,
    ReplaceMentions,
    Retain,
    Revoke,
    Unlink,
    data_subject,
    no_personal_data,
    on_close,
    personal,
)
from efface.errors import RuleArgumentError
from efface.policy.check import check

RETAIN = Retain("P10Y", Basis.LEGAL_OBLIGATION, reason="tax law")
COLUMN = [Clear(), Replace("x"), Placeholder(), ReplaceMentions("x"), Unlink(), Generalize("year")]


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: on_close(Delete, via="user_id"), 'on_close(Delete(), via="...")'),
        (lambda: on_close(Redact, via="user_id"), 'on_close(Redact(), via="...")'),
        (lambda: on_close(Revoke, via="user_id"), 'on_close(Revoke(), via="...")'),
        (lambda: on_close(Retain, via="user_id"), 'on_close(Retain("P10Y", '),
        (lambda: on_close(None, via="user_id"), "on_close(Delete(),"),
        (lambda: on_close("delete", via="user_id"), "on_close(Delete(),"),
        (lambda: data_subject(Delete), "data_subject(Delete())"),
        (lambda: data_subject(Revoke()), "data_subject(Redact())"),
        (lambda: data_subject(RETAIN), "data_subject(Redact())"),
        *((lambda each=each: on_close(each, via="user_id"), "personal(") for each in COLUMN),
        *((lambda each=each: data_subject(each), "personal(") for each in COLUMN),
        (lambda: personal(Clear), "personal(Clear())"),
        (lambda: personal(Placeholder), "personal(Placeholder())"),
        (lambda: personal(Placeholder.email), "personal(Clear())"),
        (lambda: personal(None), "personal(Clear())"),
        (lambda: personal("clear"), "personal(Clear())"),
        *(
            (lambda each=each: personal(each), "on_close(")
            for each in (Delete(), Redact(), Revoke(), RETAIN)
        ),
        (lambda: data_subject(identifiers="email"), 'identifiers=["email"]'),
        (lambda: data_subject(identifiers=7), 'identifiers=["email"]'),
        (lambda: data_subject(identifiers=[Column("email")]), 'identifiers=["email"]'),
        (lambda: data_subject(not_personal="locale"), 'not_personal=["locale"]'),
        (lambda: on_close(Delete(), via="a", identifiers="old"), 'identifiers=["old"]'),
        (lambda: on_close(Delete(), via="a", not_personal="kind"), 'not_personal=["kind"]'),
        *(
            (lambda via=via: on_close(Delete(), via=via), 'via="user_id"')
            for via in (None, "", (), 7, ["a", "b"], ("a", 1), Column("user_id"))
        ),
        (lambda: personal(Clear(), via=["user_id"]), 'via="user_id"'),
    ],
)
def test_a_wrong_argument_is_refused_with_the_line_to_write(call, line):
    with pytest.raises(RuleArgumentError) as caught:
        call()

    assert line in str(caught.value)


def test_every_action_is_taken_where_it_belongs():
    for action in (Delete(), Redact(), Revoke(), RETAIN):
        assert on_close(action, via="user_id").rule.action == action
    for action in COLUMN:
        assert personal(action).rule.action == action
    for action in (Redact(), Delete()):
        assert data_subject(action).rule.action == action


def policy(*items):
    metadata = MetaData()
    Table(
        "users",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(),
    )
    Table("codes", metadata, Column("id", Integer, primary_key=True), *items)
    return Policy.from_metadata(metadata)


@pytest.mark.parametrize("reason", ["", "...", "…", "TBD", "todo", " ToDo. ", "FIXME", None, 7])
def test_a_text_in_place_of_a_reason_is_refused(reason):
    user_id = Column("user_id", ForeignKey("users.id"), index=True)
    retain = Retain("P10Y", Basis.LEGAL_OBLIGATION, reason=reason)

    without = check(policy(no_personal_data(reason=reason)))
    retained = check(policy(user_id, on_close(retain, via="user_id")))

    assert [(each.code, each.table) for each in without] == [("E103", "codes")]
    assert [(each.code, each.table) for each in retained] == [("E103", "codes")]


def test_the_end_of_a_retention_is_an_action():
    user_id = Column("user_id", ForeignKey("users.id"), index=True)
    retain = Retain("P10Y", Basis.LEGAL_OBLIGATION, reason="tax law", then=Delete)

    (problem,) = check(policy(user_id, on_close(retain, via="user_id")))

    assert (problem.code, problem.paste) == ("E103", "Retain(..., then=Delete())")


def test_a_rule_that_nothing_carries_out_is_refused():
    name = Column("name", Text, personal(Clear()))

    (problem,) = check(policy(name, no_personal_data(reason="a fixed list")))

    assert (problem.code, problem.place) == ("E104", "codes.name")
