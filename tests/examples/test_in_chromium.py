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
