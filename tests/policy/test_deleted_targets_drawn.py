"""For drawn schemas: what is not refused leaves the rows of others as they were."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, DateTime, ForeignKey, Integer, MetaData, Table, select

from efface import (
    Delete,
    Eraser,
    Policy,
    Redact,
    Unlink,
    data_subject,
    no_personal_data,
    on_close,
    personal,
)
from efface.errors import ConstraintError, PolicyError
from efface.store.efface_tables import closings

ACTIONS = [None, "CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT"]
RULES = ["unknown", "no data", "delete by parent", "unlink by parent", "delete by user"]


def models(rule, action, declared):
    """Users, things that are deleted, and notes that refer to these."""
    metadata = MetaData()
    gone = Column("deleted_at", DateTime(timezone=True))
    Table("users", metadata, Column("id", Integer, primary_key=True), gone, data_subject())
    Table(
        "things",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), index=True),
        on_close(Delete(), via="user_id"),
    )
    marks = {
        "no data": no_personal_data(reason="counts, for each thing"),
        "delete by parent": on_close(Delete(), via="thing_id"),
        "unlink by parent": on_close(Redact(), via="thing_id"),
        "delete by user": on_close(Delete(), via="user_id"),
    }
    unlink = [personal(Unlink())] if rule == "unlink by parent" else []
    key = [ForeignKey("things.id", ondelete=action if declared else None)]
    user = [ForeignKey("users.id")] if rule != "unknown" else []
    notes = Table(
        "notes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("thing_id", Integer, *key, *unlink, index=True),
        Column("user_id", Integer, *user, index=True),
        *([marks[rule]] if rule in marks else []),
    )
    return metadata, notes


@pytest.mark.slow
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rule=st.sampled_from(RULES),
    action=st.sampled_from(ACTIONS),
    declared=st.booleans(),
    rows=st.lists(st.tuples(st.sampled_from([11, 12, None]), st.sampled_from([1, 2, None]))),
)
def test_rows_of_others_stay_as_they_were(database, rule, action, declared, rows):
    made, notes = models(rule, action, declared=True)
    known, _ = models(rule, action, declared)
    if rule == "unknown":
        known.remove(known.tables["notes"])
    eraser = Eraser(Policy.from_metadata(known), secret="a key for tests, long enough")
    try:
        made.create_all(database)
        eraser.create_tables(database)
        with database.begin() as connection:
            people = [{"id": 1}, {"id": 2}]
            connection.execute(made.tables["users"].insert(), people)
            things = [{"id": 11, "user_id": 1}, {"id": 12, "user_id": 2}]
            connection.execute(made.tables["things"].insert(), things)
            for number, (thing, user) in enumerate(rows):
                values = {"id": number, "thing_id": thing, "user_id": user}
                connection.execute(notes.insert().values(values))
        before = everything(database, notes)

        try:
            with database.begin() as connection:
                eraser.close_account(connection, 1, actor="test")
            is_closed = True
        except (PolicyError, ConstraintError):
            is_closed = False

        after = everything(database, notes)
        if not is_closed:
            assert after == before
        for key, (thing, user) in before.items():
            is_own = user == 1 or (thing == 11 and "parent" in rule)
            assert is_own or after[key] == (thing, user)
    finally:
        closings.metadata.drop_all(database)
        made.drop_all(database)


def everything(database, notes):
    with database.connect() as connection:
        found = connection.execute(select(notes.c.id, notes.c.thing_id, notes.c.user_id))
        return {key: (thing, user) for key, thing, user in found}
