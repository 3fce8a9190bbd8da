"""Keys that name the person, and tables of one name in several schemas."""

import pytest
from sqlalchemy import event, insert, select, text

from efface import Clear, Placeholder, not_personal, personal
from efface.errors import ImpossibleActionError
from efface.evidence.database_search import Finding
from tests.support.schemas import named


@pytest.fixture
def logins(database):
    """Ada and Grace, by login, with days and sessions."""
    metadata = named.by_login(not_personal())
    metadata.create_all(database)
    named.eraser(metadata).create_tables(database)
    with database.begin() as connection:
        for login, name in (("ada-l", "Ada Lovelace"), ("grace", "Grace Hopper")):
            people, days = metadata.tables["people"], metadata.tables["days"]
            connection.execute(insert(people), [{"login": login, "name": name}])
            written = [{"login": login, "day": d, "note": f"{name} ({login})"} for d in (1, 2)]
            connection.execute(insert(days), written)
            connection.execute(insert(metadata.tables["sessions"]), [{"login": login}])
    return metadata


def test_a_key_that_names_the_person_stays_and_is_said_to_stay(database, logins):
    eraser = named.eraser(logins)
    with database.begin() as connection:
        plan = eraser.plan(connection, "ada-l")
        receipt = eraser.close_account(connection, "ada-l", actor="test", plan=plan)
    with database.begin() as connection:
        finalized = eraser.finalize(connection, receipt)

    levels = {step.table: dict(step.levels) for step in plan.steps}
    assert levels["people"]["login"] == "kept: names the person"
    assert levels["days"]["login"] == "kept: names the person"
    assert finalized.search.findings == ()
    assert finalized.search.kept == (Finding("days", "login", 2), Finding("people", "login", 1))
    with database.connect() as connection:
        days = logins.tables["days"]
        notes = connection.scalars(select(days.c.note).order_by(days.c.login, days.c.day)).all()
        assert notes[:2] == ["someone (someone)"] * 2
        assert notes[2:] == ["Grace Hopper (grace)"] * 2
        sessions = connection.scalars(select(logins.tables["sessions"].c.login)).all()
        assert sessions == ["grace"]


@pytest.mark.parametrize("action", [Placeholder(), Clear()])
def test_a_key_cannot_be_changed(database, action):
    metadata = named.by_login(personal(action))
    metadata.create_all(database)
    eraser = named.eraser(metadata)
    eraser.create_tables(database)

    with database.begin() as connection, pytest.raises(ImpossibleActionError) as caught:
        eraser.plan(connection, "ada-l")

    assert "people.login" in str(caught.value)
    assert "not_personal()" in str(caught.value)


def test_tables_of_one_name_in_two_schemas_are_two_tables(database):
    if database.dialect.name == "sqlite":

        @event.listens_for(database, "connect")
        def _(connection, _record):
            connection.execute("ATTACH ':memory:' AS shop")
            connection.execute("ATTACH ':memory:' AS forum")

    metadata = named.two_schemas()
    eraser = named.eraser(metadata)
    with database.connect() as connection:
        if database.dialect.name != "sqlite":
            connection.execute(text("DROP SCHEMA IF EXISTS shop CASCADE"))
            connection.execute(text("DROP SCHEMA IF EXISTS forum CASCADE"))
            connection.execute(text("CREATE SCHEMA shop"))
            connection.execute(text("CREATE SCHEMA forum"))
        # SQLite knows no keys between schemas.
        _create(connection, metadata)
        eraser.create_tables(connection)
        people, shop, forum = (
            metadata.tables[name] for name in ("shop.people", "shop.notes", "forum.notes")
        )
        connection.execute(
            insert(people), [{"id": 1, "name": "Ada Lovelace"}, {"id": 2, "name": None}]
        )
        for table in (shop, forum):
            for person in (1, 2):
                note = {"person_id": person, "text": "by Ada Lovelace", "kind": "n"}
                connection.execute(insert(table), [note])

        receipt = eraser.close_account(connection, 1, actor="test")

        assert [(s.table, s.action, s.rows) for s in receipt.steps] == [
            ("forum.notes", "redact", 1),
            ("shop.notes", "delete", 1),
            ("shop.people", "redact", 1),
        ]
        assert connection.scalars(select(shop.c.person_id)).all() == [2]
        assert sorted(connection.execute(select(forum.c.person_id, forum.c.text)).all()) == [
            (1, "by someone"),
            (2, "by Ada Lovelace"),
        ]
        connection.rollback()


def _create(connection, metadata):
    if connection.dialect.name != "sqlite":
        metadata.create_all(connection)
        return
    for table in metadata.sorted_tables:
        columns = ", ".join(
            f"{c.name} {c.type}{' PRIMARY KEY' * c.primary_key}" for c in table.columns
        )
        connection.execute(text(f"CREATE TABLE {table.fullname} ({columns})"))
