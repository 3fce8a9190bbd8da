"""Foreign keys of the database into rows that the policy deletes."""

import pytest
from sqlalchemy import Column, DateTime, ForeignKey, Integer, MetaData, Table, Text, text

from efface import (
    Delete,
    OwnedBy,
    Policy,
    Redact,
    Unlink,
    data_subject,
    no_personal_data,
    not_personal,
    on_close,
    personal,
)
from efface.catalog import Catalog
from efface.policy.check import check
from efface.policy.schema_drift import compare, uncovered


def site(*tables, subject=()):
    """People with comments that are deleted, and what the test adds."""
    metadata = MetaData()
    Table(
        "users",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("deleted_at", DateTime(timezone=True)),
        *subject,
        data_subject(),
    )
    Table(
        "comments",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("user_id", ForeignKey("users.id"), index=True),
        on_close(Delete(), via="user_id"),
    )
    for name, *items in tables:
        Table(name, metadata, Column("id", Integer, primary_key=True), *items)
    return metadata


def found(database, metadata, *statements):
    """What `check` and `compare` say after these statements, as (code, place, level)."""
    metadata.create_all(database)
    with database.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    policy = Policy.from_metadata(metadata)
    # What only the database has can be worse than what the models say of the same place.
    problems = {p.place: (p.code, p.place, p.level) for p in check(policy)}
    problems |= {p.place: (p.code, p.place, p.level) for p in compare(policy, database)}
    return list(problems.values()), policy


def refused(database, policy):
    """The places that stop a closing."""
    with database.connect() as connection:
        return [problem.place for problem in uncovered(policy, Catalog.of_database(connection))]


ACTIONS = ["CASCADE", "SET NULL", "SET DEFAULT", "NO ACTION", "RESTRICT"]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_table_that_no_model_has_is_named(database, action):
    problems, policy = found(
        database,
        site(),
        "CREATE TABLE reports (id INTEGER PRIMARY KEY, "
        f"comment_id INTEGER REFERENCES comments (id) ON DELETE {action})",
    )

    assert problems == [("E203", "reports.comment_id", "error")]
    assert refused(database, policy) == ["reports"]
    (problem,) = compare(policy, database)
    assert problem.text.startswith("No model has this table. comment_id refers to comments,")
    assert f"(ON DELETE {action})" in problem.text
    assert problem.paste == 'on_close(Redact(), via="user_id")'


@pytest.mark.parametrize("action", ACTIONS)
def test_a_table_without_personal_data_is_named(database, action):
    key = Column("comment_id", ForeignKey("comments.id", ondelete=action), index=True)
    metadata = site(("votes", key, no_personal_data(reason="a number for each comment")))

    problems, policy = found(database, metadata)

    assert problems == [("E203", "votes.comment_id", "error")]
    # What the database refuses by itself stops only the closing of somebody with such rows.
    refuses = action in ("NO ACTION", "RESTRICT")
    assert refused(database, policy) == ([] if refuses else ["votes.comment_id"])


@pytest.mark.parametrize("action", ACTIONS)
def test_rows_of_others_below_a_row_that_is_deleted_are_named(database, action):
    key = Column("comment_id", ForeignKey("comments.id", ondelete=action), index=True)
    user = Column("user_id", ForeignKey("users.id"), index=True)
    metadata = site(("replies", key, user, on_close(Delete(), via="user_id")))

    problems, policy = found(database, metadata)

    assert problems == [("E203", "replies.comment_id", "error")]
    (problem,) = {p.place: p for p in (*compare(policy, database), *check(policy))}.values()
    assert 'Delete these rows with on_close(Delete(), via="comment_id").' in problem.text


@pytest.mark.parametrize("action", ACTIONS)
def test_a_table_that_refers_to_itself_is_named(database, action):
    metadata = site()
    parent = Column("parent_id", ForeignKey("comments.id", ondelete=action), index=True)
    metadata.tables["comments"].append_column(parent)

    problems, _ = found(database, metadata)

    assert problems == [("E203", "comments.parent_id", "error")]


@pytest.mark.parametrize("action", ACTIONS)
def test_rows_that_are_deleted_before_are_safe(database, action):
    key = Column("comment_id", ForeignKey("comments.id", ondelete=action), index=True)

    problems, policy = found(database, site(("votes", key, on_close(Delete(), via="comment_id"))))

    # That the model keeps such rows is another question.
    errors = [problem for problem in problems if problem[0] != "W109"]
    assert (errors, refused(database, policy)) == ([], [])


def test_rows_that_let_go_before_are_safe(database):
    key = Column("comment_id", ForeignKey("comments.id"), personal(Unlink()), index=True)

    problems, policy = found(database, site(("votes", key, on_close(Redact(), via="comment_id"))))

    assert (problems, refused(database, policy)) == ([], [])


def test_a_foreign_key_that_has_the_user_is_safe(database):
    """Both rows are the same user's, because the database says so."""
    user = Column("user_id", ForeignKey("users.id"), index=True)
    number = Column("comment_id", Integer, not_personal())
    metadata = site(("votes", number, user, on_close(Delete(), via="user_id")))
    metadata.create_all(database)
    with database.begin() as connection:
        for statement in (
            "CREATE UNIQUE INDEX by_user ON comments (id, user_id)",
            "DROP TABLE votes",
            (
                "CREATE TABLE votes (id INTEGER PRIMARY KEY, comment_id INTEGER, "
                "user_id INTEGER REFERENCES users (id), FOREIGN KEY (comment_id, user_id) "
                "REFERENCES comments (id, user_id) ON DELETE CASCADE)"
            ),
            "CREATE INDEX ix_votes_user_id ON votes (user_id)",
        ):
            connection.execute(text(statement))
    policy = Policy.from_metadata(metadata)

    assert [p.code for p in compare(policy, database)] == ["E108"]  # the models lack it
    assert refused(database, policy) == []


@pytest.mark.parametrize(
    ("action", "level"),
    [("SET NULL", None), ("SET DEFAULT", None), ("NO ACTION", "warning"), ("CASCADE", "error")],
)
def test_a_rule_for_the_column_accepts_what_deletes_nothing(database, action, level):
    key = Column("comment_id", ForeignKey("comments.id", ondelete=action), not_personal())
    metadata = site(("votes", key, no_personal_data(reason="a number for each comment")))

    problems, policy = found(database, metadata)

    assert [each for *_, each in problems] == ([level] if level else [])
    assert refused(database, policy) == (["votes.comment_id"] if level == "error" else [])


def test_rows_that_stay_let_any_table_refer_to_them(database):
    """The user's row stays as a tombstone."""
    key = Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), not_personal())

    problems, policy = found(database, site(("votes", key, no_personal_data(reason="counts"))))

    assert (problems, refused(database, policy)) == ([], [])


def test_an_unknown_table_that_refers_to_users_stops_a_closing(database):
    problems, policy = found(
        database,
        site(),
        "CREATE TABLE old_profiles (user_id INTEGER REFERENCES users (id), contact TEXT)",
        "CREATE TABLE alembic_version (version_num TEXT)",
        "CREATE TABLE weather (day TEXT)",
    )

    assert problems == [("E108", "old_profiles", "error"), ("E108", "weather", "error")]
    assert refused(database, policy) == ["old_profiles"]


def test_an_unknown_column_stops_a_closing_where_rows_stay(database):
    note = Column("user_id", ForeignKey("users.id"), index=True)
    problems, policy = found(
        database,
        site(("notes", note, on_close(Redact(), via="user_id"))),
        "ALTER TABLE users ADD COLUMN phone TEXT",
        "ALTER TABLE notes ADD COLUMN body TEXT",
        "ALTER TABLE notes ADD COLUMN editor_id INTEGER REFERENCES users (id)",
        "ALTER TABLE comments ADD COLUMN body TEXT",
    )

    assert refused(database, policy) == ["notes.body", "users.phone"]
    assert ("E108", "comments.body", "warning") in problems


def test_owned_rows_are_safe_from_references_that_the_models_have(database):
    owned = ("files", on_close(Delete(), via=OwnedBy("users.file_id")))
    avatar = Column("file_id", ForeignKey("files.id"), personal(Unlink()), index=True)
    metadata = site(owned, subject=[avatar])

    problems, policy = found(database, metadata)

    assert (problems, refused(database, policy)) == ([], [])
    with database.begin() as connection:
        connection.execute(
            text("CREATE TABLE covers (file_id INTEGER REFERENCES files (id) ON DELETE CASCADE)")
        )
    assert [p.place for p in compare(policy, database)] == ["covers.file_id"]


@pytest.mark.postgresql
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_partitions_and_other_schemas_are_seen(database):
    metadata = site()
    metadata.create_all(database)
    with database.begin() as connection:
        for statement in (
            "CREATE SCHEMA tools",
            "CREATE TABLE tools.likes (comment_id int REFERENCES comments ON DELETE CASCADE)",
            "CREATE TABLE tools.weather (day date)",
        ):
            connection.execute(text(statement))
    policy = Policy.from_metadata(metadata)
    try:
        assert [p.place for p in compare(policy, database)] == ["tools.likes.comment_id"]
        assert refused(database, policy) == ["tools.likes"]
    finally:
        with database.begin() as connection:
            connection.execute(text("DROP SCHEMA tools CASCADE"))


@pytest.mark.postgresql
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_partitions_have_the_rules_of_their_table(database):
    metadata = MetaData()
    gone = Column("deleted_at", DateTime(timezone=True))
    Table("users", metadata, Column("id", Integer, primary_key=True), gone, data_subject())
    Table(
        "events",
        metadata,
        Column("month", Integer, not_personal()),
        Column("user_id", ForeignKey("users.id"), index=True),
        Column("what", Text, personal(Unlink())),
        on_close(Redact(), via="user_id"),
        postgresql_partition_by="LIST (month)",
    )
    problems, policy = found(
        database,
        metadata,
        "CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1)",
        "CREATE TABLE events_2 PARTITION OF events FOR VALUES IN (2)",
    )

    assert (problems, refused(database, policy)) == ([], [])
