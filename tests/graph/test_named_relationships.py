"""A table with several relationships: each can be named, and one that is missing is said once."""

import re

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
)

from efface import (
    Delete,
    Eraser,
    Generic,
    MatchBy,
    Placeholder,
    Policy,
    Redact,
    data_subject,
    on_close,
    personal,
)
from efface.graph.graph import build
from efface.policy.check import check

KEY = "a key for tests, long enough"
WAYS = {
    "by name": MatchBy("owner", equals="people.name"),
    "by address": MatchBy("owner", equals="people.email"),
    "generic": Generic("kind", "number", type="person"),
    "of two columns": ("team", "member"),
    "by key": "person_id",
}


def jobs(via, *, notes_via=None, action=Delete):
    """Jobs with each kind of relationship; attempts of a job; notes about an attempt."""
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(80), personal(Placeholder()), unique=True),
        Column("email", String(80), personal(Placeholder.email()), unique=True),
        Column("team", Integer),
        Column("deleted_at", DateTime(timezone=True)),
        data_subject(identifiers=["name"], not_personal=["team"]),
    )
    Table(
        "members",
        metadata,
        Column("team", Integer, primary_key=True),
        Column("member", Integer, primary_key=True),
        Column("person_id", ForeignKey("people.id"), index=True),
        on_close(Redact(), via="person_id"),
    )
    Table(
        "jobs",
        metadata,
        Column("id", Integer, primary_key=True),
        *(Column(name, String(80), index=True) for name in ("owner", "kind", "text")),
        *(Column(name, Integer, index=True) for name in ("number", "team", "member")),
        Column("person_id", ForeignKey("people.id"), index=True),
        ForeignKeyConstraint(["team", "member"], ["members.team", "members.member"]),
        *(on_close(action(), via=each) for each in WAYS.values()),
    )
    Table(
        "attempts",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("job_id", ForeignKey("jobs.id"), index=True),
        Column("body", Text),
        *(on_close(Delete(), via=each) for each in via),
    )
    Table(
        "notes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("attempt_id", ForeignKey("attempts.id"), index=True),
        on_close(Delete(), via=notes_via or f"attempt_id.{via[0]}"),
    )
    return metadata


def test_each_line_that_is_offered_can_be_read_back():
    _, problems = build(Policy.from_metadata(jobs(["job_id"], notes_via="attempt_id")))

    (problem,) = problems
    assert (problem.code, problem.table) == ("E202", "attempts")
    offered = re.findall(r'via="(.*?)"(?: or|\.$)', problem.text)
    assert offered == [
        "job_id.owner = people.name",
        "job_id.owner = people.email",
        "job_id.number where kind = person",
        "job_id.(team, member)",
        "job_id.person_id",
    ]
    metadata = jobs(offered, notes_via=f"attempt_id.{offered[0]}")
    assert build(Policy.from_metadata(metadata))[1] == ()
    assert [p for p in check(Policy.from_metadata(metadata)) if p.level == "error"] == []


def test_rows_are_found_by_each_of_them(database):
    vias = [
        "job_id.owner = people.name",
        "job_id.owner = people.email",
        "job_id.number where kind = person",
        "job_id.(team, member)",
        "job_id.person_id",
    ]
    metadata = jobs(vias)
    notes = metadata.tables["notes"]
    metadata.remove(notes)
    eraser = Eraser(Policy.from_metadata(metadata), secret=KEY)
    metadata.create_all(database)
    eraser.create_tables(database)
    people, members, table, attempts = (
        metadata.tables[name] for name in ("people", "members", "jobs", "attempts")
    )
    with database.begin() as connection:
        for number, name in ((1, "ada.lovelace"), (2, "grace.hopper")):
            row = {"id": number, "name": name, "email": f"{name}@example.org", "team": number}
            connection.execute(insert(people).values(row))
            connection.execute(insert(members).values(team=number, member=7, person_id=number))
            found = [
                {"owner": name},
                {"owner": f"{name}@example.org"},
                {"kind": "person", "number": number},
                {"team": number, "member": 7},
                {"person_id": number},
            ]
            for position, values in enumerate(found):
                key = 10 * number + position
                connection.execute(insert(table).values(id=key, **values))
                connection.execute(insert(attempts).values(id=key, job_id=key, body=name))

    with database.begin() as connection:
        eraser.close_account(connection, 1, actor="test")

    with database.connect() as connection:
        assert {*connection.scalars(select(attempts.c.id))} == set(range(20, 25))
        assert {*connection.scalars(select(table.c.id))} == set(range(20, 25))


def test_what_is_missing_further_on_is_said_once():
    """Of notes, nothing is wrong; attempts have to say how a job is theirs."""
    _, problems = build(Policy.from_metadata(jobs(["job_id"], notes_via="attempt_id")))

    assert [(p.code, p.table) for p in problems] == [("E202", "attempts")]


def test_a_path_that_can_name_nothing_has_no_such_line():
    metadata = jobs(["job_id.person_id"])
    second = on_close(Redact(), via=MatchBy("team", equals="people.id"))
    second._set_parent_with_dispatch(metadata.tables["members"])

    _, problems = build(Policy.from_metadata(metadata))

    (problem,) = problems
    assert (problem.code, problem.table) == ("E202", "jobs")
    assert "via=" not in problem.text
    assert "Only a path through one foreign key column can name one of them" in problem.text
