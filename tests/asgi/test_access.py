"""The pages as people with a keyboard, a screen reader or a dark room meet them: WCAG 2.2 AA."""

import pytest
from playwright.sync_api import expect

from efface.asgi import Blocker
from tests.asgi.site import PASSWORD, Site
from tests.support.page_in_node.serving import serve

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CLOSE = "/users/settings/close"
SENT = "[...new FormData(document.querySelector('form')).keys()]"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture
def axe():
    return pytest.importorskip("axe_playwright_python.sync_playwright").Axe()


@pytest.fixture
def show(tmp_path_factory, browser_engine):
    """Show the pages of a site in one state, signed in as Ada."""

    def show(scheme, look, **settings):
        site = Site(tmp_path_factory.mktemp("site") / "site.db", **settings)
        ada = site.add("ada@example.org", posts=3)
        with serve(site.app) as address:
            page = browser_engine.new_page(color_scheme=scheme)
            console = []
            page.on("console", lambda message: console.append(message.text))
            page.goto(f"{address}/log_in/{ada}")
            look(page, address)
            page.close()
        site.engine.dispose()
        # Chromium notes here what a Content-Security-Policy refuses and what a form lacks. It also
        # notes each answer with an error status, which several pages have on purpose.
        assert [text for text in console if "Failed to load resource" not in text] == []

    return show


def no_violations(axe, page):
    found = axe.run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    assert [(each["id"], each["nodes"]) for each in found.response["violations"]] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_page_is_accessible(show, axe, scheme):
    def look(page, address):
        for path in (CLOSE, f"{CLOSE}/done"):
            page.goto(f"{address}{path}")
            no_violations(axe, page)
        page.goto(f"{address}{CLOSE}")
        page.click("[data-efface=open]")
        no_violations(axe, page)
        page.fill("[name=current_password]", "wrong")
        page.check("[name=confirm]")
        page.click("[data-efface=submit]")
        page.get_by_role("alert").get_by_text("password is incorrect").wait_for()
        no_violations(axe, page)
        page.fill("[name=current_password]", PASSWORD)
        page.click("[data-efface=submit]")
        page.wait_for_url("**/done?reference=*")
        no_violations(axe, page)
        page.goto(f"{address}{CLOSE}")
        no_violations(axe, page)

    show(scheme, look, redirect_path=None, recipients=["the seed merchant"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_blocks_and_what_leads_to_the_log_in_is_accessible(show, axe, scheme):
    def look(page, address):
        page.goto(f"{address}{CLOSE}")
        no_violations(axe, page)

    show(scheme, look, blockers=lambda *_: [Blocker("Name another organizer.", "/groups/7")])
    show(scheme, look, has_password=lambda *_: False, has_recent_login=lambda _: False)


def test_a_disabled_button_is_described_by_the_reason(show):
    def look(page, address):
        for path in ("/settings", CLOSE):
            page.goto(f"{address}{path}")
            button = page.get_by_role("button", name="Delete account", disabled=True)
            expect(button).to_be_visible()
            expect(button).to_have_accessible_description(
                "Before you can delete your account Name another organizer."
            )

    show("light", look, blockers=lambda *_: [Blocker("Name another organizer.", "/groups/7")])


@pytest.mark.parametrize("scripted", [True, False], ids=["socket", "form"])
def test_the_console_stays_empty_on_every_page(show, scripted):
    """`show` looks at the console. Chromium writes a hint there for an incomplete password form."""

    def look(page, address):
        if not scripted:
            page.route("**/efface.js", lambda route: route.fulfill(content_type="text/javascript"))
        for path in ("/settings", CLOSE, f"{CLOSE}/done"):
            page.goto(f"{address}{path}")
        page.goto(f"{address}{CLOSE}")
        sent = page.evaluate(SENT)
        page.context.clear_cookies()
        page.evaluate("document.querySelector('form').submit()")
        page.get_by_text("We couldn't accept this form").wait_for()
        page.goto(f"{address}{CLOSE}")
        page.get_by_text("Log in to delete your account").wait_for()
        page.goto(f"{address}/log_in/1")
        page.goto(f"{address}{CLOSE}")
        if scripted:
            page.click("[data-efface=open]")
        page.fill("[name=current_password]", PASSWORD)
        page.check("[name=confirm]")
        page.click("[data-efface=submit]")
        page.wait_for_url("**/done?reference=*")
        # The field that password managers look for is not sent.
        assert sent == ["_csrf_token", "current_password"]

    show("light", look, redirect_path=None)


def test_a_keyboard_is_enough(show):
    def look(page, address):
        page.goto(f"{address}{CLOSE}")
        page.locator("[data-efface=open]").focus()
        page.keyboard.press("Enter")
        assert focused(page) == "current_password"
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Tab")
        assert focused(page) == "confirm"
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.dataset.efface") == "cancel"
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.dataset.efface") == "open"
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        page.wait_for_url("**/done?reference=*")

    show("light", look, redirect_path=None)


def focused(page):
    return page.evaluate("document.activeElement.name")
