"""Relations where a rule would write other rows than those of the user: refused before that."""

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    make_url,
    text,
)

from efface import (
    Delete,
    Eraser,
    Policy,
    Redact,
    no_personal_data,
    on_close,
)
from efface.errors import (
    ImpossibleActionError,
    SchemaMismatchError,
    StatementError,
)
from efface.policy.schema_drift import compare
from efface.store.efface_tables import metadata as efface_tables
from tests.eraser.real_databases import (
    ADA,
    GRACE,
    ON_POSTGRESQL,
    SECRET,
    add,
    close,
    column,
    created,
    notes,
    run,
    users,
)


def found(engine, eraser):
    """What `efface check --database` reports."""
    own = efface_tables.tables
    return [(p.code, p.place, p.level) for p in compare(eraser.policy, engine, own=own)]


# ---------------------------------------------------------------- relations without rows

CARDS = "SELECT id AS user_id, email AS name FROM users"
VIEWS = {
    "view": f"CREATE VIEW cards AS {CARDS}",
    "materialized": f"CREATE MATERIALIZED VIEW cards AS {CARDS}",
    "foreign": (
        "CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER elsewhere FOREIGN DATA WRAPPER "
        "elsewhere; CREATE FOREIGN TABLE cards (user_id int, name text) SERVER elsewhere"
    ),
}


@pytest.mark.parametrize("rule", [Delete(), Redact()], ids=["Delete", "Redact"])
@pytest.mark.parametrize("kind", VIEWS)
def test_a_rule_for_a_view_is_refused_and_its_line_makes_it_right(database, kind, rule):
    if database.dialect.name == "sqlite" and kind != "view":
        return

    def models(*rules):
        metadata = MetaData()
        people = users(metadata)
        Table(
            "cards",
            metadata,
            Column("user_id", ForeignKey("users.id"), primary_key=True, index=True),
            Column("name", Text),
            *rules,
        )
        return metadata, people

    not_personal = {"not_personal": ["name"]} if isinstance(rule, Redact) else {}
    metadata, people = models(on_close(rule, via="user_id", **not_personal))
    with database.begin() as connection:
        people.create(connection)
    run(database, *VIEWS[kind].split("; "))
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})

    with pytest.raises(ImpossibleActionError, match=kind) as caught:
        close(database, eraser)

    assert column(database, people, "email") == [ADA, GRACE]
    (problem,) = caught.value.problems
    assert ("E103", "cards", "error") in found(database, eraser)
    metadata, _ = models(eval(problem.paste, {"no_personal_data": no_personal_data}))
    other = Eraser(Policy.from_metadata(metadata), secret=SECRET)
    assert not [p for p in found(database, other) if p[0] == "E103"]
    if kind == "foreign":
        run(database, "DROP FOREIGN DATA WRAPPER elsewhere CASCADE")
        return
    close(database, other)
    assert column(database, people, "email")[1] == GRACE
    assert column(database, people, "email")[0] != ADA


def test_users_that_are_a_view_are_refused(database):
    metadata = MetaData()
    people = users(metadata)
    eraser = created(metadata, database)
    run(
        database,
        "ALTER TABLE users RENAME TO accounts",
        "CREATE VIEW users AS SELECT id, email, deleted_at FROM accounts",
    )
    run(database, f"INSERT INTO accounts (id, email) VALUES (1, '{ADA}')")

    with pytest.raises(ImpossibleActionError, match="a view"):
        close(database, eraser)

    assert column(database, people, "email") == [ADA]
    run(database, "DROP VIEW users")


# ---------------------------------------------------------------- row level security

SECURITY = [
    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY mine ON {table} USING (true)",
]


@pytest.fixture
def application(database):
    """An engine over the same database as the role of an application."""
    run(
        database,
        "DROP ROLE IF EXISTS efface_application",
        "CREATE ROLE efface_application LOGIN",
        "GRANT ALL ON SCHEMA public TO efface_application",
    )

    def connect(*grants):
        run(
            database,
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO efface_application",
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO efface_application",
            *grants,
        )
        return engine

    engine = create_engine(make_url(database.url))

    @event.listens_for(engine, "begin")
    def _(connection):
        connection.exec_driver_sql("SET LOCAL ROLE efface_application")

    yield connect
    engine.dispose()
    run(database, "DROP OWNED BY efface_application", "DROP ROLE efface_application")


@ON_POSTGRESQL
@pytest.mark.parametrize("table", ["users", "notes", "efface_closings"])
def test_row_level_security_that_is_active_for_the_role_stops_it(database, application, table):
    metadata = MetaData()
    people, texts = users(metadata), notes(metadata)
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA}, {"id": 2, "email": GRACE})
    add(database, texts, {"id": 1, "user_id": 1, "body": "hers"})
    engine = application()
    close(engine, eraser, 2)
    run(database, *(statement.format(table=table) for statement in SECURITY))

    with pytest.raises(ImpossibleActionError, match="Row level security") as caught:
        close(engine, eraser)

    assert [problem.place for problem in caught.value.problems] == [table]
    assert column(database, people, "email")[0] == ADA
    assert column(database, texts, "body") == ["hers"]
    assert found(engine, eraser) == [("E103", table, "error")]
    # A superuser sees every row, and so does an owner without FORCE.
    assert found(database, eraser) == []
    run(database, f"ALTER TABLE {table} OWNER TO efface_application")
    close(engine, eraser)
    assert column(database, texts, "body") == []
    run(database, f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    assert found(engine, eraser) == [("E103", table, "error")]
    run(database, f"ALTER TABLE {table} OWNER TO CURRENT_USER")


@ON_POSTGRESQL
def test_row_level_security_elsewhere_is_a_warning(database, application):
    metadata = MetaData()
    people = users(metadata)
    notes(metadata, no_personal_data(reason="notes of the house"))
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA})
    run(database, *(statement.format(table="notes") for statement in SECURITY))
    engine = application()

    assert found(engine, eraser) == [("W108", "notes", "warning")]
    close(engine, eraser)


# ---------------------------------------------------------------- a policy for another database


def test_a_policy_for_another_database_leaves_the_transaction_usable(database):
    metadata = MetaData()
    users(metadata)
    eraser = Eraser(Policy.from_metadata(metadata), secret=SECRET)
    eraser.create_tables(database)

    with database.connect() as connection:
        connection.execute(text("CREATE TABLE kept (id int)"))
        for call in (
            lambda: eraser.close_account(connection, 1, actor="test"),
            lambda: eraser.plan(connection, 1),
        ):
            with pytest.raises(SchemaMismatchError, match=r"no table users .* Nothing was changed"):
                call()
        connection.commit()

    run(database, "DROP TABLE kept")


@ON_POSTGRESQL
@pytest.mark.parametrize("table", ["users", "notes", "efface_closings"])
def test_a_role_without_permission_is_told_what_it_lacks(database, application, table):
    metadata = MetaData()
    people, texts = users(metadata), notes(metadata)
    eraser = created(metadata, database)
    add(database, people, {"id": 1, "email": ADA})
    add(database, texts, {"id": 1, "user_id": 1, "body": ADA})
    engine = application(f"REVOKE ALL ON {table} FROM efface_application")

    with pytest.raises(StatementError, match="lacks a permission") as caught:
        close(engine, eraser)

    assert (caught.value.code, caught.value.sqlstate) == ("E405", "42501")
    assert caught.value.table == table
    assert ADA not in str(caught.value)
    assert column(database, people, "email") == [ADA]
