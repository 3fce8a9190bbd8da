"""The tutorial, sentence by sentence, T01 to T17: open this first.

It began as a guide to user anonymization in a Phoenix application. Each test is one of its
promises, kept here by the garden, our sample site. None of them is ever skipped.
"""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    func,
    insert,
    inspect,
    select,
)

from efface import (
    Basis,
    Delete,
    Eraser,
    Placeholder,
    Plan,
    Policy,
    Retain,
    Revoke,
    data_subject,
    on_close,
    personal,
)
from efface.errors import (
    ImpossibleActionError,
    IncompletePolicyError,
    StalePlanError,
    UnknownSubjectError,
)
from garden.accounts import users
from garden.accounts.form_validation import FormError
from garden.models import FORMER_MEMBER, Base, User
from tests.support.gardens import PASSWORD
from tests.tutorial.ada import ADA

pytestmark = pytest.mark.fastapi("it looks into the parts of this garden, sentence by sentence")


# ---------------------------------------------------------------- why


def a_schema(subject, *, with_invoices):
    """People, their sessions and, where asked for, invoices that must stay."""
    metadata = MetaData()
    Table(
        "people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("email", String(80), personal(Placeholder.email())),
        Column("deleted_at", DateTime(timezone=True)),
        subject,
    )
    reference = Column("person_id", ForeignKey("people.id"))
    Table("sessions", metadata, reference, on_close(Revoke(), via="person_id"))
    if with_invoices:
        keep = Retain("P10Y", Basis.LEGAL_OBLIGATION, "tax law")
        reference = Column("person_id", ForeignKey("people.id"))
        Table("invoices", metadata, reference, on_close(keep, via="person_id"))
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    eraser = Eraser(Policy.from_metadata(metadata), secret="a key for tests, long enough")
    eraser.create_tables(engine)
    with engine.begin() as connection:
        connection.execute(insert(metadata.tables["people"]), [{"email": ADA}])
    return engine, eraser, metadata.tables["people"]


@pytest.mark.tutorial("T01")
def test_T01_who_leaves_is_deleted_where_nothing_must_stay():
    engine, eraser, people = a_schema(data_subject(Delete()), with_invoices=False)

    with engine.begin() as connection:
        eraser.close_account(connection, 1, actor="self-service")

        assert connection.scalar(select(func.count()).select_from(people)) == 0
    engine.dispose()


@pytest.mark.tutorial("T01")
def test_T01_deletion_is_refused_with_the_reason_where_something_must_stay():
    engine, eraser, people = a_schema(data_subject(Delete()), with_invoices=True)

    with engine.begin() as connection, pytest.raises(ImpossibleActionError) as refused:
        eraser.close_account(connection, 1, actor="self-service")

    assert "Rows of invoices are kept (tax law)" in str(refused.value)
    with engine.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(people)) == 1
    engine.dispose()


@pytest.mark.tutorial("T01", "T05")
def test_T01_T05_otherwise_the_record_stays_and_nobody_is_recognized_in_it():
    engine, eraser, people = a_schema(data_subject(), with_invoices=True)

    with engine.begin() as connection:
        eraser.close_account(connection, 1, actor="self-service")

        row = connection.execute(select(people)).one()
    assert row.id == 1
    assert row.deleted_at is not None
    assert ADA not in str(row)
    engine.dispose()


@pytest.mark.tutorial("T02")
def test_T02_the_readme_names_the_law_and_promises_no_more_than_a_library_can(request):
    readme = (request.config.rootpath / "README.md").read_text()

    for word in ("GDPR", "right to erasure", "Art. 17"):
        assert word in readme
    assert "does not make" in readme


@pytest.mark.tutorial("T03", "T30")
def test_T03_T30_every_record_of_the_others_and_every_reference_is_as_before(garden, ada):
    def others():
        return {
            "users": garden.rows("SELECT * FROM users WHERE id <> :ada", ada=ada),
            "posts": garden.rows("SELECT * FROM posts WHERE author_id <> :ada", ada=ada),
            "orders": garden.rows("SELECT * FROM orders WHERE user_id <> :ada", ada=ada),
            "invoices": garden.rows("SELECT * FROM invoices"),
            "authors": garden.rows("SELECT id, author_id FROM posts ORDER BY id"),
            "buyers": garden.rows("SELECT id, user_id, item, packets FROM orders ORDER BY id"),
        }

    before = others()

    garden.close(ada)

    assert others() == before
    assert garden.broken_references() == []


@pytest.mark.tutorial("T04", "T30")
def test_T04_what_must_be_kept_is_kept_and_one_is_told_until_when(garden, ada, eraser):
    with garden.sessions() as session:
        plan = eraser.plan(session, ada)
    browser = garden.signed_in(ADA)
    browser.open("/users/settings")

    garden.close(ada)

    kept = next(step for step in plan.steps if step.action == "retain")
    assert (kept.table, kept.reached) == ("invoices", 1)
    assert kept.reason == "legal obligation: tax law"
    assert kept.until.isoformat() == "2036-12-31"
    assert "until 2036-12-31" in plan.explain()
    section = unescape(browser.page.split('id="delete-account"')[1])
    assert "tax law" in section
    assert "2036" in section
    (invoice,) = garden.rows("SELECT * FROM invoices WHERE billing_name = 'Ada Lovelace'")
    assert invoice["total_cents"] == 420


@pytest.mark.tutorial("T06")
def test_T06_the_guide_is_retold_and_its_steps_are_executed(request):
    """Executed by tests/docs/test_typed_tutorial.py; here: it is there, with code in every step."""
    guide = (request.config.rootpath / "docs" / "tutorial.md").read_text()

    steps = re.split(r"^## ", guide, flags=re.MULTILINE)[1:]
    assert len([step for step in steps if "```" in step]) >= 6


# ---------------------------------------------------------------- the migration


@pytest.mark.tutorial("T07", "T11")
def test_T07_T11_a_migration_adds_the_column(garden, request):
    """The tables of these tests are made by `alembic upgrade head`, as the demo's are."""
    folder = request.config.rootpath / "examples" / "garden" / "migrations"
    migrations = ScriptDirectory(str(folder))

    columns = {c["name"]: c for c in inspect(garden.engine).get_columns("users")}

    assert columns["deleted_at"]["nullable"]
    assert garden.rows("SELECT version_num FROM alembic_version") == [
        {"version_num": migrations.get_current_head()}
    ]


@pytest.mark.tutorial("T08", "T14")
def test_T08_T14_the_time_of_leaving_is_utc_and_to_the_second(garden, ada):
    garden.clock.now = datetime(2026, 3, 1, 12, 0, 1, 987654, tzinfo=UTC)

    garden.close(ada)

    with garden.sessions() as session:
        (left,) = users.list_closed(session)
    assert left == datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
    assert left.tzinfo is UTC


@pytest.mark.tutorial("T09", "T18", "T20")
def test_T09_T18_T20_the_mark_hides_without_deleting(garden, ada):
    """No query of the context says so; it is said in one place."""
    garden.close(ada)

    with garden.sessions() as session:
        assert [user.name for user in users.list_users(session)] == ["Grace Hopper"]
        assert session.scalar(select(func.count()).select_from(User)) == 1
    assert garden.count("users") == 2


@pytest.mark.tutorial("T10")
def test_T10_one_can_see_later_when_people_left(garden, ada):
    garden.close(ada)
    garden.clock.advance(days=2)
    garden.close(garden.member("late@garden.example"))

    with garden.sessions() as session:
        everybody = users.list_closed(session)
        lately = users.list_closed(session, since=garden.clock() - timedelta(days=1))
    assert len(everybody) == 2
    assert lately == everybody[:1]
    assert "1 March 2026" in garden.browser().open("/users/closed").text


@pytest.mark.tutorial("T12")
def test_T12_the_model_has_the_field(garden, ada):
    with garden.sessions() as session:
        assert users.get_user(session, ada).deleted_at is None
    assert User.__table__.c.deleted_at.type.impl.timezone


# ---------------------------------------------------------------- the change


@pytest.mark.tutorial("T13")
def test_T13_the_change_is_a_value_one_can_look_at_before_it_is_saved(garden, ada, eraser):
    before = garden.everything()

    with garden.sessions() as session:
        plan = eraser.plan(session, ada)

    assert garden.everything() == before
    assert plan.explain().splitlines()[-1].endswith("nothing has been changed yet")
    with garden.sessions.begin() as session:
        receipt = eraser.close_account(
            session, ada, actor="self-service", plan=Plan.from_json(plan.to_json())
        )
    assert receipt.steps == plan.steps


@pytest.mark.tutorial("T13")
def test_T13_a_plan_that_has_become_stale_is_refused(garden, ada, eraser):
    with garden.sessions() as session:
        plan = eraser.plan(session, ada)
    garden.signed_in(ADA)

    with garden.sessions.begin() as session, pytest.raises(StalePlanError):
        eraser.close_account(session, ada, actor="self-service", plan=plan)

    assert garden.row(ada)["deleted_at"] is None


@pytest.mark.tutorial("T15")
def test_T15_the_placeholder_is_unique_inert_and_cannot_be_registered(garden):
    members = [garden.member(f"member{number}@garden.example") for number in range(20)]

    for member in members:
        garden.close(member)

    emails = [row["email"] for row in garden.rows("SELECT email FROM users")]
    assert len(set(emails)) == 20
    assert all(re.fullmatch(r"anonymized-[0-9a-f]{32}@users\.invalid", e) for e in emails)
    with garden.sessions.begin() as session, pytest.raises(FormError) as refused:
        users.register_user(session, email="anonymized-1@users.invalid", password=PASSWORD)
    assert "email" in refused.value.errors


@pytest.mark.tutorial("T16")
def test_T16_every_personal_column_is_replaced(garden, ada):
    garden.close(ada)

    row = garden.row(ada)
    assert (row["name"], row["hashed_password"], row["confirmed_at"]) == (None, None, None)
    (post,) = garden.rows("SELECT body FROM posts WHERE author_id = :ada", ada=ada)
    assert post["body"] == f"Ask {FORMER_MEMBER} about beans."
    (order,) = garden.rows("SELECT note FROM orders WHERE user_id = :ada", ada=ada)
    assert order["note"] is None


@pytest.mark.tutorial("T16")
def test_T16_a_column_that_nobody_decided_stops_everything(garden, ada):
    metadata = MetaData()
    for table in Base.metadata.sorted_tables:
        table.to_metadata(metadata)
    metadata.tables["users"].append_column(Column("phone", String(20)))
    eraser = Eraser(Policy.from_metadata(metadata), secret="a key for tests, long enough")

    with garden.sessions.begin() as session, pytest.raises(IncompletePolicyError) as stopped:
        eraser.close_account(session, ada, actor="self-service")

    assert "users.phone has no rule" in str(stopped.value)
    assert "personal(Clear())" in str(stopped.value)
    assert garden.row(ada)["email"] == ADA


@pytest.mark.tutorial("T17")
def test_T17_the_users_context_anonymizes_by_id(garden, ada):
    with garden.sessions.begin() as session:
        receipt = users.anonymize_user(session, ada)

        again = users.anonymize_user(session, ada, actor="ticket 8114")
    assert receipt.actor == "self-service"
    assert again.already_closed
    assert again == receipt
    with garden.sessions.begin() as session, pytest.raises(UnknownSubjectError):
        users.anonymize_user(session, 4711)


# ---------------------------------------------------------------- all of them


@pytest.mark.tutorial("T01")
def test_every_sentence_has_a_test_and_none_is_skipped():
    here = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))

    named = set(re.findall(r"(?<=_)T\d\d[ab]?(?=_)", here))
    assert named == {f"T{n:02}" for n in range(1, 31)} | {"T31a", "T31b"}
    assert not re.search(r"mark\.(skip|xfail)|pytest\.skip", here)
