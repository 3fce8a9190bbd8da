"""The garden in a real browser."""

import pytest

from tests.gardening import PASSWORD

EMAIL = "ada@garden.example"


@pytest.fixture
def frames():
    """What the page has sent over its socket."""
    return []


@pytest.fixture
def page(browser_engine, garden, frames):
    """Ada's settings page."""
    garden.member(EMAIL, name="Ada Lovelace")
    with garden.served() as open_browser:
        context = browser_engine.new_context(base_url=open_browser().address)
        page = context.new_page()

        def sent(text):
            frames.append(text)

        page.on("websocket", lambda wire: wire.on("framesent", sent))
        page.goto("/users/log_in")
        page.get_by_label("E-mail").fill(EMAIL)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.goto("/users/settings")
        yield page
        context.close()


@pytest.mark.browser
@pytest.mark.cases("CLO-12")
def test_one_can_think_again(garden, page, frames):
    before = garden.everything()

    page.get_by_role("button", name="Delete Account").click()
    page.get_by_role("button", name="Keep my account").click()

    assert frames == []
    assert garden.everything() == before
    assert not page.get_by_role("dialog").is_visible()


@pytest.mark.browser
@pytest.mark.cases("CLO-13", "CLO-15")
def test_two_clicks_are_one_closing_one_log_out_and_one_navigation(garden, page, frames):
    requests = []
    page.on("request", lambda request: requests.append((request.method, request.url)))

    page.get_by_role("button", name="Delete Account").click()
    page.get_by_role("dialog").get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("Yes, I want to close my account").check()
    page.get_by_role("button", name="Close my account").dblclick()
    page.wait_for_url("**/")

    methods = [method for method, url in requests if url.endswith(("/users/log_out", "/"))]
    assert len(frames) == 1
    assert methods == ["DELETE", "GET"]
    assert "Your account is closed" in page.get_by_role("status").first.inner_text()
    assert garden.count("efface_closings") == 1


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_no_page_scrolls_sideways_or_breaks_its_own_policy(garden, page, width, scheme):
    """Nothing inline that the strict Content-Security-Policy would have to block."""
    complaints = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)

    for path in ("/", "/members", "/users/settings", "/users/settings/close", "/users/closed"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path

    assert complaints == []
