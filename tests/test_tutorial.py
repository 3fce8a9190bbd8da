"""The tutorial, sentence by sentence, T01 to T31: open this first.

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
    text,
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
from garden.accounts import tokens, users
from garden.accounts.form_validation import FormError
from garden.models import FORMER_MEMBER, Base, Invoice, Order, Post, User
from garden.sample_data import plant
from tests.support.gardens import PASSWORD
from tests.support.page_in_node.browser import Browser as Page

pytestmark = pytest.mark.fastapi("it looks into the parts of this garden, sentence by sentence")
ADA = "ada@garden.example"
CLOSE = "/users/settings/close"
OPEN, SUBMIT, CANCEL = "[data-efface=open]", "[data-efface=submit]", "[data-efface=cancel]"


@pytest.fixture
def ada(garden):
    """Ada, with a post, an order and an invoice, in a garden where Grace lives too."""
    key = garden.member(ADA, name="Ada Lovelace")
    grace = garden.member("grace@garden.example", name="Grace Hopper")
    now = garden.clock()
    with garden.sessions.begin() as session:
        for author, name in ((key, "Ada Lovelace"), (grace, "Grace Hopper")):
            body = f"Ask {name} about beans."
            session.add(Post(author_id=author, title="Beans", body=body, inserted_at=now))
            order = Order(user_id=author, item="Peas", packets=2, note="ring", ordered_at=now)
            session.add(order)
            session.flush()
            session.add(
                Invoice(
                    order_id=order.id,
                    billing_name=name,
                    billing_email="bills@garden.example",
                    total_cents=420,
                    issued_at=now,
                )
            )
    return key


@pytest.fixture
def eraser(garden):
    """The garden's eraser."""
    return garden.sessions.kw["info"]["eraser"]


@pytest.fixture
def page(garden, ada, node):
    """Ada's settings page in a browser that runs the page's own script; she is signed in."""
    with garden.served() as browsers, Page(node, browsers().address) as page:
        page.open("/users/log_in")
        page.fill("[name=email]", ADA)
        page.fill("[name=password]", PASSWORD)
        page.click("main form button")
        page.arrive("/")
        page.open("/users/settings")
        page.connected()
        yield page


def confirm(page, password=PASSWORD):
    """Press the button, type the password, and say yes."""
    page.click(OPEN)
    page.fill("dialog [name=current_password]", password)
    page.check("[name=confirm]")
    page.click(SUBMIT)


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

    assert "invoices must stay (tax law)" in str(refused.value)
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
    """Executed by tests/test_docs.py; here: it is there, with code in every step."""
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


# ---------------------------------------------------------------- the getters


@pytest.mark.tutorial("T19")
def test_T19_get_user_answers_one_or_none_and_its_twin_raises(garden, ada):
    with garden.sessions() as session:
        assert users.get_user(session, ada).name == "Ada Lovelace"
        assert users.get_user(session, 4711) is None

    garden.close(ada)

    with garden.sessions() as session:
        assert users.get_user(session, ada) is None
        with pytest.raises(users.NoResultFound):
            users.get_user_or_404(session, ada)


@pytest.mark.tutorial("T20", "T21")
@pytest.mark.cases("XCL-01", "XCL-02", "XCL-03")
def test_T20_T21_no_getter_finds_a_closed_account(garden, ada):
    links = {
        context: garden.token(ada, context)
        for context in (tokens.SESSION, tokens.CONFIRM, tokens.RESET_PASSWORD)
    }
    change = garden.token(ada, tokens.CHANGE_EMAIL, "new@garden.example")

    garden.close(ada)

    placeholder = garden.row(ada)["email"]
    with garden.sessions() as session:
        for email in (ADA, ADA.upper(), placeholder):
            assert users.get_user_by_email(session, email) is None
            assert users.get_user_by_email_and_password(session, email, PASSWORD) is None
        assert tokens.get_user_by_session_token(session, links[tokens.SESSION]) is None
        for context in (tokens.CONFIRM, tokens.RESET_PASSWORD):
            assert tokens.get_user_by_email_token(session, links[context], context) is None
        grace = users.get_user_by_email(session, "grace@garden.example")
        assert tokens.get_new_email(session, grace, change) is None


@pytest.mark.tutorial("T21")
@pytest.mark.cases("XCL-02", "XCL-05")
def test_T21_neither_log_in_nor_password_reset_know_the_person_any_more(garden, ada):
    garden.close(ada)
    browser = garden.browser()

    refused = browser.log_in(ADA)
    stranger = garden.browser().log_in("nobody@garden.example")
    browser.open("/users/reset_password")
    browser.submit("/users/reset_password", email=ADA)

    assert refused.status_code == stranger.status_code
    assert not browser.is_signed_in
    assert garden.mailbox.to(ADA) == []


# ---------------------------------------------------------------- the button


@pytest.mark.tutorial("T22", "T23")
def test_T22_T23_the_settings_page_has_the_section(garden, ada):
    browser = garden.signed_in(ADA)
    browser.open("/users/settings")

    assert "Change your password" in browser.page
    section = re.search(r'<section id="delete-account".*?</section>', browser.page, re.DOTALL)[0]
    assert 'data-logout-path="/users/log_out"' in section
    assert 'data-redirect-path="/"' in section
    assert "Delete your account?" in section
    assert re.search(r"<button[^>]*efface-danger[^>]*>Delete account</button>", section)


@pytest.mark.tutorial("T24")
def test_T24_the_readme_has_a_picture_of_it(request):
    root = request.config.rootpath
    readme = (root / "README.md").read_text()

    pictures = re.findall(r'<img src="https?://[^/]+/(docs/pictures/[\w-]+\.png)"', readme)
    assert pictures
    for picture in pictures:
        assert (root / picture).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.tutorial("T25")
@pytest.mark.cases("CLO-12")
def test_T25_a_dialog_says_what_goes_and_what_stays_and_can_be_left(garden, ada, page):
    page.click(OPEN)

    page.see("What will be deleted")
    page.see("What we keep")
    page.click(CANCEL)
    assert page.sent() == []
    assert garden.row(ada)["deleted_at"] is None


@pytest.mark.tutorial("T25")
@pytest.mark.cases("CLO-10")
def test_T25_the_rule_on_the_server_is_the_password(garden, ada, page):
    confirm(page, password="not her password")

    page.wait("received")
    assert page.traffic("received")[-1]["message"]["status"] == "refused"
    assert page.push("anonymize", {"confirm": "yes"})["status"] == "refused"
    assert garden.row(ada)["deleted_at"] is None


@pytest.mark.tutorial("T26", "T27", "T28", "T29")
@pytest.mark.cases("CLO-15")
def test_T26_T27_T28_T29_from_the_click_to_the_start_page(garden, ada, page):
    """`anonymize` there, `logout` back, then DELETE with the token, then the start page by GET."""
    before = len(page.requests())

    confirm(page)
    page.arrive("/")

    assert page.sent() == ["anonymize"]
    received = [entry["message"] for entry in page.traffic("received")]
    assert received[0]["status"] == "ok"
    assert received[1] == {"event": "logout", "payload": {"to": "/"}}
    assert page.requests()[before:] == ["DELETE /users/log_out 204", "GET / 200"]
    assert garden.row(ada)["deleted_at"] is not None
    assert garden.count("users_tokens") == 0


@pytest.mark.tutorial("T26")
@pytest.mark.cases("CSR-01")
def test_T26_without_its_token_the_log_out_is_refused(garden, ada):
    browser = garden.signed_in(ADA)

    for headers in ({}, {"X-CSRF-Token": "garbage"}):
        answer = browser.request("DELETE", "/users/log_out", headers=headers)
        assert answer.status_code == 403
    assert browser.is_signed_in
    assert browser.script("DELETE", "/users/log_out").status_code == 204


@pytest.mark.tutorial("T29")
@pytest.mark.cases("CLO-07")
def test_T29_every_device_is_signed_out(garden, ada, node):
    with garden.served() as browsers:
        laptop, phone = browsers(), browsers()
        laptop.log_in(ADA)
        phone.log_in(ADA, remember_me="true")
        laptop.open("/users/settings")
        phone.open("/")
        with phone.socket() as open_on_the_phone:
            answer = laptop.submit(CLOSE, current_password=PASSWORD, confirm="yes")
            pushed = open_on_the_phone.hear()

        assert answer.status_code == 303
        assert pushed == {"event": "logout", "payload": {"to": "/"}}
        assert not laptop.is_signed_in
        assert not phone.is_signed_in
        assert not phone.remembers


@pytest.mark.tutorial("T28", "T29")
@pytest.mark.cases("CLO-05")
def test_T29_what_fails_closes_nothing_and_signs_nobody_out(garden, ada, page):
    garden.refuse("UPDATE", "posts")
    before = garden.everything()

    confirm(page)
    page.wait("received")

    assert [entry["message"]["status"] for entry in page.traffic("received")] == ["error"]
    assert garden.everything() == before


# ---------------------------------------------------------------- afterwards


@pytest.mark.tutorial("T30")
def test_T30_counts_and_sums_are_equal_in_the_whole_community(garden):
    with garden.sessions.begin() as session:
        plant(session, now=garden.clock())
    query = (
        "SELECT (SELECT count(*) FROM users) users, (SELECT count(*) FROM posts) posts, "
        "(SELECT count(*) FROM orders) orders, (SELECT sum(total_cents) FROM invoices) cents, "
        "(SELECT sum(packets) FROM orders) packets"
    )
    before = garden.rows(query)

    garden.close(1)

    assert garden.rows(query) == before
    assert garden.broken_references() == []


@pytest.mark.tutorial("T30")
@pytest.mark.cases("XCL-10")
def test_T30_a_post_shows_a_neutral_label_and_no_page_the_placeholder(garden, ada):
    garden.close(ada)
    browser = garden.signed_in("grace@garden.example")

    pages = [browser.open(path).text for path in ("/", "/users", "/users/settings")]

    assert FORMER_MEMBER in pages[0]
    assert all("users.invalid" not in page and "Lovelace" not in page for page in pages)


@pytest.mark.tutorial("T31a")
def test_T31a_a_script_of_the_page_sends_an_event_to_the_server(garden, ada, page):
    """The garden's other use of the live socket: picking a plot."""
    with garden.sessions.begin() as session:
        session.execute(text("INSERT INTO plots (label, crop) VALUES ('B7', 'peas')"))

    ack = page.push("pick_plot", {"plot": "B7"})
    page.wait("received", 2)

    assert ack["status"] == "ok"
    events = [entry["message"].get("event") for entry in page.traffic("received")]
    assert "plot_picked" in events
    assert garden.rows("SELECT holder_id FROM plots") == [{"holder_id": ada}]


@pytest.mark.tutorial("T31b")
@pytest.mark.cases("CSR-04")
def test_T31b_a_form_with_a_stale_token_gets_a_human_page_and_a_way_on(garden, ada):
    browser = garden.signed_in(ADA)
    browser.open("/users/settings")
    stale = browser.page
    browser.submit("/users/log_out", method="DELETE")
    browser.log_in(ADA)
    browser.page = stale

    answer = browser.submit(CLOSE, current_password=PASSWORD, confirm="yes")

    assert answer.status_code == 403
    assert "<h1" in answer.text
    assert "href=" in answer.text
    assert garden.row(ada)["deleted_at"] is None
    assert browser.is_signed_in


@pytest.mark.tutorial("T31b")
def test_T31b_a_docs_page_carries_the_error_in_its_title(request):
    page = (request.config.rootpath / "docs" / "invalid-csrf-token.md").read_text()

    assert "invalid csrf token" in page.splitlines()[0].lower()


# ---------------------------------------------------------------- all of them


@pytest.mark.tutorial("T01")
def test_every_sentence_has_a_test_and_none_is_skipped():
    here = Path(__file__).read_text()

    named = set(re.findall(r"(?<=_)T\d\d[ab]?(?=_)", here))
    assert named == {f"T{n:02}" for n in range(1, 31)} | {"T31a", "T31b"}
    assert not re.search(r"mark\.(skip|xfail)|pytest\.skip", here)
