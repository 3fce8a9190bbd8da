"""Every door of the accounts, tried by somebody whose account is closed."""

import re

import pytest
from sqlalchemy import select

from efface.sqlalchemy import include_closed
from garden.accounts import tokens, users
from garden.models import Plot, PlotGroup, PlotGroupMember, Post, User
from tests.support.gardens import PASSWORD, alike

EMAIL = "ada@garden.example"
NEW = "sweet corn and squash"


@pytest.fixture
def ada(garden):
    return garden.member(name="Ada Lovelace")


def all_tokens(garden):
    return garden.rows("SELECT * FROM users_tokens")


def restore(garden, rows):
    """Put the rows of tokens back, as out of a backup."""
    for row in rows:
        columns, values = ", ".join(row), ", ".join(f":{column}" for column in row)
        garden.execute(f"INSERT INTO users_tokens ({columns}) VALUES ({values})", **row)


@pytest.mark.cases("XCL-01")
def test_no_getter_finds_a_closed_account(garden, ada):
    grace = garden.member("grace@garden.example")
    garden.close(ada)
    placeholder = garden.row(ada)["email"]

    assert garden.ask("get_user", ada) is None
    with pytest.raises(garden.NOT_FOUND):
        garden.ask("get_user_or_404", ada)
    assert garden.ask("get_user_or_404", grace) == grace
    assert garden.ask("get_user_by_email", EMAIL) is None
    assert garden.ask("get_user_by_email", placeholder) is None
    assert garden.ask("list_users") == [grace]
    assert garden.members() == [grace]
    assert garden.members(closed=True) == [ada, grace]


@pytest.mark.fastapi("only a session of SQLAlchemy holds objects for the next query")
@pytest.mark.cases("XCL-01")
def test_a_member_who_is_loaded_already_is_not_found_again_after_closing(garden, ada):
    with garden.sessions() as session:
        assert users.get_user(session, ada) is not None
        users.anonymize_user(session, ada)
        session.commit()

        assert users.get_user(session, ada) is None


@pytest.mark.cases("XCL-02")
def test_neither_address_logs_in_and_the_answer_is_that_of_an_unknown_one(garden, ada):
    hashed = garden.row(ada)["hashed_password"]
    garden.close(ada)
    placeholder = garden.row(ada)["email"]
    # Even where somebody has put the old password back.
    garden.execute("UPDATE users SET hashed_password = :hashed", hashed=hashed)
    answers = {}
    for email in (EMAIL, placeholder, "nobody@garden.example"):
        garden.hasher.calls = 0
        browser = garden.browser()
        answer = browser.log_in(email)
        answers[email] = (answer.status_code, browser.notice, garden.hasher.calls)

    assert len(set(answers.values())) == 1
    assert answers[EMAIL] == (422, "The email or password is incorrect.", 1)


@pytest.mark.cases("XCL-03")
@pytest.mark.parametrize("rows_are_gone", [True, False])
def test_a_session_and_a_remember_me_cookie_from_before_are_worth_nothing(
    garden, ada, rows_are_gone
):
    browser, stranger = garden.signed_in(remember_me="true"), garden.browser()
    cookie_alone = browser.copy()
    del cookie_alone.cookies["session"]
    rows = all_tokens(garden)

    garden.close(ada)
    if not rows_are_gone:
        restore(garden, rows)

    same = stranger.get("/members")
    for former in (browser, cookie_alone):
        assert alike(former.get("/members")) == alike(same)
        assert not former.is_signed_in


@pytest.mark.cases("XCL-03")
@pytest.mark.parametrize("rows_are_gone", [True, False])
@pytest.mark.parametrize(
    ("context", "path"),
    [("confirm", "/users/confirm"), ("reset_password", "/users/reset_password")],
)
def test_a_link_from_before_reads_like_garbage(garden, ada, context, path, rows_are_gone):
    """Also where the row of the token is back, out of a backup perhaps."""
    secret, rows = garden.token(ada, context), all_tokens(garden)
    garden.close(ada)
    if not rows_are_gone:
        restore(garden, rows)
        # Not even one that fits the address the row has now.
        garden.execute("UPDATE users_tokens SET sent_to = (SELECT email FROM users)")
    before = garden.row(ada)
    browser, other = garden.browser(), garden.browser()

    answer = browser.submit(f"{path}/{secret}", password=NEW, password_confirmation=NEW)
    same = other.submit(f"{path}/{'A' * 43}", password=NEW, password_confirmation=NEW)

    assert alike(answer) == alike(same)
    assert browser.notice == other.notice
    assert garden.row(ada) == before


@pytest.mark.cases("XCL-03")
def test_a_link_to_change_the_address_dies_with_the_account(garden, ada):
    """tutorial:G14: not even who has the freed address now can use it."""
    link = f"/users/settings/confirm_email/{garden.token(ada, 'change_email', 'x@y.example')}"
    garden.close(ada)
    garden.member(EMAIL)
    newcomer, stranger = garden.signed_in(EMAIL), garden.browser()
    before = garden.everything()
    garbage = f"/users/settings/confirm_email/{'A' * 43}"

    for browser, told in ((newcomer, "isn't valid"), (stranger, "Log in to see")):
        answer, notice = browser.open(link), browser.notice
        same = browser.open(garbage)

        assert alike(answer) == alike(same)
        assert told in notice
        assert notice == browser.notice
    assert garden.everything()["users"] == before["users"]


@pytest.mark.cases("XCL-05")
@pytest.mark.parametrize("path", ["/users/reset_password", "/users/confirm"])
def test_no_mail_is_sent_to_who_has_left(garden, ada, path):
    garden.close(ada)
    answers = []
    for email in (EMAIL, garden.row(ada)["email"], "nobody@garden.example"):
        browser = garden.browser()
        answers.append((alike(browser.submit(path, email=email)), browser.notice))

    assert answers[0] == answers[1] == answers[2]
    assert garden.mailbox.all() == []
    assert garden.count("users_tokens") == 0


@pytest.mark.cases("XCL-06")
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/users/settings", {"action": "update_email", "email": "new@garden.example"}),
        ("/users/settings", {"action": "update_password", "password": NEW}),
        ("/posts", {"title": "I am", "body": "still here"}),
        ("/plots/pick", {"plot": "A1"}),
        ("/users/settings/close", {"confirm": "yes"}),
    ],
)
def test_a_form_that_was_open_before_is_refused(garden, ada, path, fields):
    browser = garden.signed_in()
    browser.open("/users/settings")
    garden.close(ada)
    before = garden.everything()

    answer = browser.submit(path, current_password=PASSWORD, **fields)

    assert answer.status_code == 303
    assert garden.everything() == before
    assert not browser.is_signed_in


@pytest.mark.cases("XCL-06")
@pytest.mark.parametrize("values", [{"email": "back@garden.example"}, {"hashed_password": "x"}])
def test_a_write_that_was_under_way_while_the_account_closed_finds_no_row(garden, ada, values):
    """tutorial:G22: the form was read, the account closed, and then the form is saved."""
    garden.hold(ada)
    garden.close(ada)
    before = garden.row(ada)

    changed = garden.change_held(ada, **values)

    assert not changed
    assert garden.row(ada) == before


@pytest.mark.cases("XCL-06")
@pytest.mark.parametrize("context", ["session", "confirm", "reset_password", "change_email"])
def test_no_token_is_made_for_an_account_that_closed_meanwhile(garden, ada, context):
    """A log-in hashes a password, which takes long enough for the account to close."""
    garden.hold(ada)
    garden.close(ada)

    secret = garden.token_for_held(ada, context, EMAIL)

    assert secret is None
    assert garden.count("users_tokens") == 0


@pytest.mark.cases("XCL-08")
def test_the_old_address_is_free_and_leads_to_nothing_old(garden, ada):
    garden.close(ada)

    newcomer = garden.member(EMAIL)

    assert newcomer != ada
    assert garden.ask("get_user_by_email", EMAIL) == newcomer


def without_bar(page):
    """Cut out the developers' bar, which shows rows on purpose, and only to developers."""
    return re.sub(r"<aside.*?</aside>", "", page, flags=re.DOTALL)


@pytest.mark.cases("XCL-10")
def test_what_they_wrote_stays_under_a_neutral_label(garden, ada):
    garden.add(Post(author_id=ada, title="Beans", body="Up.", inserted_at=garden.clock()))
    garden.close(ada)
    row, browser = garden.row(ada), garden.browser()

    pages = [browser.open(path).text for path in ("/", "/members", "/users/closed")]

    assert "a former member" in pages[0]
    assert "Beans" in pages[0]
    shown = [without_bar(page) for page in pages]
    assert not any(row["email"] in page or "Lovelace" in page for page in shown)
    assert "0 members" in pages[1]
    assert "1 member has deleted their account" in pages[2]


@pytest.mark.cases("XCL-10")
def test_the_number_of_who_has_left_is_in_no_page(garden):
    ada, grace = 918271, garden.member("grace@garden.example", name="Grace Hopper")
    garden.execute("UPDATE users SET id = :new WHERE id = :id", new=ada, id=garden.member(EMAIL))
    garden.add(
        Post(author_id=ada, title="Beans", body="Up.", inserted_at=garden.clock()),
        herbs := PlotGroup(name="Herb spiral"),
    )
    garden.add(
        *(
            PlotGroupMember(group_id=herbs.id, user_id=user_id, is_organizer=True)
            for user_id in (ada, grace)
        )
    )
    garden.close(ada)
    placeholder = garden.row(ada)["email"]
    member, stranger = garden.signed_in("grace@garden.example"), garden.browser()
    to_all = ("/", "/members", "/users/closed", "/users/settings/close")

    answers = [stranger.get(path) for path in to_all]
    answers += [member.get(path) for path in (*to_all, "/users/settings", f"/groups/{herbs.id}")]

    assert [answer.status_code for answer in answers] == [200] * 10
    assert "a former member" in answers[0].text
    for page in [without_bar(answer.text) for answer in answers]:
        assert str(ada) not in page
        assert placeholder not in page


@pytest.mark.fastapi("with SQLAlchemy a property can be asked of the database, with Django not")
@pytest.mark.cases("XCL-10")
def test_the_label_is_the_same_in_a_query(garden, ada):
    garden.member("nameless@garden.example")
    garden.close(ada)

    with garden.sessions() as session, include_closed():
        in_sql = list(session.scalars(select(User.display_name).order_by(User.id)))
        in_python = [user.display_name for user in session.scalars(select(User).order_by(User.id))]

    assert in_sql == in_python == ["a former member", "a member"]


@pytest.mark.cases("XCL-03")
@pytest.mark.parametrize("rows_are_gone", [True, False])
def test_a_link_that_logs_in_reads_like_garbage_too(open_garden, rows_are_gone):
    garden = open_garden(profile="magic")
    ada = garden.member(password=None)
    secret, rows = garden.token(ada, tokens.LOG_IN), all_tokens(garden)
    garden.close(ada)
    if not rows_are_gone:
        restore(garden, rows)
        garden.execute("UPDATE users_tokens SET sent_to = (SELECT email FROM users)")
    browser, other = garden.browser(), garden.browser()

    looked, same_look = (
        browser.open(f"/users/log_in/{secret}"),
        other.open(f"/users/log_in/{'A' * 43}"),
    )
    sent, same = (
        browser.submit("/users/log_in", token=secret),
        other.submit("/users/log_in", token="A" * 43),
    )

    assert alike(looked) == alike(same_look)
    assert alike(sent) == alike(same)
    assert browser.notice == other.notice
    assert not browser.is_signed_in


@pytest.mark.cases("XCL-05")
def test_no_link_to_log_in_is_sent_to_who_has_left(open_garden):
    garden = open_garden(profile="magic")
    ada = garden.member()
    garden.close(ada)
    answers = []
    for email in (EMAIL, garden.row(ada)["email"], "nobody@garden.example"):
        browser = garden.browser()
        answer = browser.submit("/users/log_in", action="send_link", email=email)
        answers.append((alike(answer), browser.notice))

    assert answers[0] == answers[1] == answers[2]
    assert garden.mailbox.all() == []


@pytest.mark.cases("XCL-06")
def test_an_event_from_a_page_that_was_open_before_ends_the_page(garden, ada):
    garden.add(Plot(label="A1", crop="beans"))
    with garden.served() as browsers:
        laptop = browsers()
        laptop.log_in(EMAIL)
        with laptop.socket() as socket:
            garden.close_elsewhere(ada)
            before = garden.everything()

            assert socket.push("pick_plot", plot="A1")["event"] == "logout"
    assert garden.everything() == before
