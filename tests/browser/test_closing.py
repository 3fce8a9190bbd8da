"""Leaving the garden in a real browser: the dialog, the form, and every way it may go wrong."""

import pytest
from playwright.sync_api import expect

from garden.models import PlotGroup, PlotGroupMember
from tests.support.gardens import PASSWORD

pytestmark = pytest.mark.browser

ADA = "ada@garden.example"
GRACE = "grace@garden.example"
CLOSE = "/users/settings/close"
LOG_OUT = "/users/log_out"
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
GOODBYE = "Your account has been deleted, and you've been logged out on all devices."


@pytest.fixture
def ada(garden):
    return garden.member(ADA, name="Ada Lovelace")


@pytest.fixture
def page(ada, window):
    """Ada's settings page, connected."""
    window.sign_in()
    return window.open_settings()


def fill(page, password=PASSWORD):
    """Open the dialog, type the password, say yes; return the button that closes."""
    page.get_by_role("button", name="Delete account").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Current password").fill(password)
    dialog.get_by_label("Yes, I want to delete my account").check()
    return dialog.get_by_role("button", name="Delete my account")


def is_start_page_of_nobody(page):
    """Wait until the start page says good-bye to somebody who is signed out."""
    page.wait_for_url("**/")
    expect(page.get_by_text(GOODBYE)).to_be_visible()
    expect(page.get_by_role("link", name="Log in")).to_be_visible()
    expect(page.get_by_role("button", name="Log out")).to_have_count(0)


# ---------------------------------------------------------------- before


@pytest.mark.cases("CLO-12")
@pytest.mark.parametrize("way", ["button", "Escape"])
def test_one_can_think_again(garden, window, page, way):
    before = garden.everything()
    fill(page)

    if way == "button":
        page.get_by_role("button", name="Keep my account").click()
    else:
        page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete account")).to_be_focused()
    assert window.frames == []
    assert window.asked(CLOSE, LOG_OUT) == []
    assert garden.everything() == before


@pytest.mark.cases("CLO-10")
def test_with_a_wrong_password_one_stays_in_the_dialog(garden, window, page):
    fill(page, "not her password").click()

    alert = page.get_by_role("dialog").get_by_role("alert")
    expect(alert).to_contain_text("password is incorrect")
    expect(page.get_by_label("Current password").last).to_be_focused()
    assert garden.count("efface_closings") == 0
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    is_start_page_of_nobody(page)
    assert len(window.frames) == 2


# ---------------------------------------------------------------- closing


@pytest.mark.cases("CLO-13", "CLO-15")
def test_two_clicks_are_one_closing_one_log_out_and_one_navigation(garden, ada, window, page):
    window.requests.clear()

    fill(page).dblclick()

    is_start_page_of_nobody(page)
    assert len(window.frames) == 1
    # 303 or 204, never 302: the start page is asked for by GET, and by nothing else.
    assert window.asked(LOG_OUT, "/") == ["DELETE", "GET"]
    assert garden.count("efface_closings") == 1
    assert garden.row(ada)["email"].endswith("@users.invalid")


@pytest.mark.cases("CLO-13")
def test_whoever_clicks_on_after_the_answer_changes_nothing_more(garden, window, page):
    held = []
    page.route(f"**{LOG_OUT}", lambda *route: held.append(route[0]))
    button = fill(page)
    place = button.bounding_box()
    window.requests.clear()

    with page.expect_request(f"**{LOG_OUT}"):
        button.click()
    page.mouse.click(place["x"] + 5, place["y"] + 5)
    page.get_by_label("Current password").last.press("Enter")
    (waiting,) = held
    waiting.continue_()

    is_start_page_of_nobody(page)
    assert len(window.frames) == 1
    assert window.asked(LOG_OUT, "/", CLOSE) == ["DELETE", "GET"]
    assert garden.count("efface_closings") == 1


@pytest.mark.cases("CLO-15")
def test_without_javascript_a_form_does_the_same(garden, ada, open_window):
    """tutorial:G29"""
    window = open_window(java_script_enabled=False)
    page = window.sign_in()
    page.goto("/users/settings")
    window.requests.clear()

    section = page.locator("#delete-account")
    section.locator("summary").click()
    section.get_by_label("Current password").fill("not her password")
    section.get_by_label("Yes, I want to delete my account").check()
    section.get_by_role("button", name="Delete my account").click()
    expect(page.get_by_role("alert")).to_contain_text("password is incorrect")
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("Yes, I want to delete my account").check()
    page.get_by_role("button", name="Delete my account").click()

    is_start_page_of_nobody(page)
    assert window.asked(CLOSE, "/") == ["POST", "POST", "GET"]
    assert garden.row(ada)["deleted_at"]


@pytest.mark.cases("CLO-07")
@pytest.mark.parametrize("path", ["/", "/users/settings"])
def test_the_phone_leaves_by_itself(garden, ada, open_window, path):
    laptop, phone = open_window(), open_window(**PHONE)
    on_the_phone = phone.sign_in()
    with on_the_phone.expect_websocket():
        on_the_phone.goto(path)
    laptop.sign_in()

    fill(laptop.open_settings()).click()

    is_start_page_of_nobody(laptop.page)
    is_start_page_of_nobody(on_the_phone)
    assert phone.frames == []
    assert garden.count("efface_closings") == 1


# ---------------------------------------------------------------- when it goes wrong


@pytest.mark.cases("CLO-08")
def test_a_lost_answer_leaves_nobody_signed_in(garden, ada, window):
    """The connection breaks between the commit and the answer; tutorial:G19."""
    lost = []

    def between(page_side):
        server = page_side.connect_to_server()

        def answer(message):
            if lost:
                page_side.send(message)
            else:
                lost.append(message)
                page_side.close()

        server.on_message(answer)

    window.context.route_web_socket("**/live**", between)
    window.sign_in()
    window.open_settings()

    fill(window.page).click()

    is_start_page_of_nobody(window.page)
    assert '"status": "ok"' in lost[0] or '"status":"ok"' in lost[0]
    assert garden.count("efface_closings") == 1


@pytest.mark.cases("CLO-08")
def test_the_back_button_shows_no_page_of_somebody_signed_in(ada, window, page):
    fill(page).click()
    is_start_page_of_nobody(page)

    for _ in range(3):
        page.go_back()

        # The bar for developers does tell what the database holds of the last who left.
        shown = page.locator("body > header, main > :not(.developer-bar)")
        expect(page.get_by_role("button", name="Log out")).to_have_count(0)
        expect(shown.filter(has_text="Ada Lovelace")).to_have_count(0)
        expect(shown.filter(has_text="users.invalid")).to_have_count(0)


@pytest.mark.cases("CLO-15")
def test_to_log_out_once_more_succeeds(garden, ada, open_window):
    """A page that knows nothing of the closing, because it runs no script."""
    window = open_window(java_script_enabled=False)
    page = window.sign_in()
    garden.close(ada)

    page.get_by_role("button", name="Log out").click()

    page.wait_for_url("**/")
    expect(page.get_by_role("link", name="Log in")).to_be_visible()
    assert ("DELETE", page.url) not in window.requests


# ---------------------------------------------------------------- what is to be settled first


def test_who_is_blocked_sees_why_the_button_is_disabled(garden, ada, window):
    """pitfalls:B-1"""
    grace = garden.member(GRACE, name="Grace Hopper")
    organizes = {ada: True, grace: False}
    garden.add(
        PlotGroup(
            name="Herb spiral",
            members=[
                PlotGroupMember(user_id=key, is_organizer=organizes[key]) for key in organizes
            ],
        )
    )
    window.sign_in()
    page = window.open_settings()

    button = page.get_by_role("button", name="Delete account", disabled=True)
    expect(button).to_have_accessible_description(
        "Before you can delete your account You are the last organizer of Herb spiral."
    )
    page.get_by_role("link", name="You are the last organizer of Herb spiral.").click()
    page.get_by_role("button", name="Make organizer").click()

    expect(page.get_by_text("one more organizer")).to_be_visible()
    fill(window.open_settings()).click()
    is_start_page_of_nobody(page)


# ---------------------------------------------------------------- proof of who it is


@pytest.mark.cases("SUD-01")
def test_whoever_logs_in_once_more_is_back_in_the_settings(garden, ada, window):
    page = window.sign_in()
    garden.clock.advance(minutes=11)
    page.goto("/users/settings")

    expect(page.get_by_role("heading", name="Log in again")).to_be_visible()
    expect(page.get_by_label("Email")).to_have_value(ADA)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()

    page.wait_for_url("**/users/settings")
    expect(page.get_by_role("button", name="Delete account")).to_be_visible()


@pytest.mark.parametrize("garden", [{"profile": "magic"}], indirect=True)
def test_without_a_password_one_leaves_after_a_fresh_log_in(garden, window):
    garden.member(ADA, password=None)

    def follow_the_link():
        page.get_by_role("button", name="Email me a login link").click()
        page.get_by_text("you'll soon get an email").wait_for()
        page.goto("/dev/mailbox")
        page.locator("article").first.get_by_role("link").click()
        page.get_by_role("button", name="Log in once").click()

    page = window.page
    page.goto("/users/log_in")
    page.get_by_label("Email").first.fill(ADA)
    follow_the_link()
    page.wait_for_url("**/")
    garden.clock.advance(minutes=25)
    page.goto(CLOSE)
    expect(page.get_by_role("button", name="Delete account")).to_have_count(0)
    page.get_by_role("link", name="Log in again").click()
    follow_the_link()
    page.goto(CLOSE)
    page.get_by_role("button", name="Delete account").click()
    expect(page.get_by_label("Current password")).to_have_count(0)
    page.get_by_label("Yes, I want to delete my account").check()
    page.get_by_role("button", name="Delete my account").click()

    is_start_page_of_nobody(page)
    assert garden.count("efface_closings") == 1


# ---------------------------------------------------------------- languages


def test_a_german_browser_gets_the_section_and_the_page_in_german(garden, ada, open_window):
    window = open_window(locale="de-DE")
    window.sign_in()
    page = window.open_settings()
    section = page.locator("#delete-account")

    expect(section).to_have_attribute("lang", "de")
    page.get_by_role("button", name="Konto löschen").click()
    dialog = page.get_by_role("dialog", name="Möchten Sie Ihr Konto löschen?")
    for words in ("Was gelöscht wird", "Was wir aufbewahren", "Datum der Bestätigung"):
        expect(dialog.get_by_text(words).first).to_be_visible()
    dialog.get_by_label("Aktuelles Passwort").fill("falsch")
    dialog.get_by_label("Ja, ich möchte mein Konto löschen").check()
    dialog.get_by_role("button", name="Mein Konto löschen").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Das Passwort ist falsch.")
    page.goto(CLOSE)
    expect(page.locator("html")).to_have_attribute("lang", "de")
