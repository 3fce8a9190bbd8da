"""The tutorial, sentence by sentence, T18 to T31."""

import re

import pytest
from sqlalchemy import text

from garden.accounts import tokens, users
from garden.models import FORMER_MEMBER
from garden.sample_data import plant
from tests.support.gardens import PASSWORD
from tests.tutorial.ada import ADA, CANCEL, CLOSE, OPEN, confirm

pytestmark = pytest.mark.fastapi("it looks into the parts of this garden, sentence by sentence")


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
