"""Every page of the garden as people meet it: on a phone, in the dark, with a screen reader.

Each tour visits pages in every state they have. A page is looked at in light and dark, on a phone
and on a desk, and must break no rule of WCAG 2.2 AA (axe), need no scrolling sideways, and have
nothing to press that is smaller than a fingertip. No page may write to the console of Chromium.
"""

from urllib.parse import urlsplit

import pytest

from garden.accounts import tokens
from garden.sample_data import ADA_EMAIL, ADA_ID, GRACE_EMAIL
from garden.sample_data import PASSWORD as EVERYBODYS

CLOSE = "/users/settings/close"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDTHS = {"phone": 360, "desk": 1200}
SCHEMES = ("light", "dark")

# Where each tour leads; together everywhere.
TOURS = {
    "signed_out": {"/", "/members", "/users/closed", "/dev/mailbox", CLOSE, f"{CLOSE}/done"},
    "coming_in": {"/users/log_in", "/users/register", "/users/confirm", "/users/confirm/{token}"},
    "without_a_password": {
        "/",
        "/users/reset_password",
        "/users/reset_password/{token}",
        "/dev/mailbox",
    },
    "signed_in": {"/", "/users/settings", "/users/log_in", CLOSE},
    "leaving": {"/", "/users/settings", "/users/closed", "/groups/{group_id}", CLOSE},
    "by_link": {
        "/users/register",
        "/users/log_in",
        "/users/log_in/{token}",
        "/users/settings",
        "/dev/mailbox",
        CLOSE,
    },
}
# Not pages: files, data, a link that leads to the settings at once.
NO_PAGES = {
    "/favicon.ico",
    "/dev/mailbox.json",
    "/users/settings/confirm_email/{token}",
    f"{CLOSE}/efface.js",
    f"{CLOSE}/efface.css",
}
TOO_SMALL = """() => [...document.querySelectorAll("a, button, input, textarea, summary")]
  .filter((one) => one.checkVisibility() && getComputedStyle(one).display !== "inline")
  .filter((one) => !one.matches("[type=hidden], .skip"))
  .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
  .filter(([, { width, height }]) => Math.min(width, height) < 24)
  .map(([what, { width, height }]) => `${width} by ${height}: ${what}`)"""


class Inspector:
    """Looks at the page that is open, in every way, and keeps what is wrong with it."""

    def __init__(self, axe, page, garden):
        self.axe, self.page, self.garden = axe, page, garden
        self.found, self.visited = {}, set()

    def look(self, state, schemes=SCHEMES):
        """Look at the page, which is in this *state*."""
        self.page.wait_for_load_state()
        self.visited |= self.garden.path_of(urlsplit(self.page.url).path)
        for name, width in WIDTHS.items():
            self.page.set_viewport_size({"width": width, "height": 800})
            for scheme in schemes:
                self.page.emulate_media(color_scheme=scheme)
                self._note(f"{state}, {name}, {scheme}", self._rules_broken())
            self._note(f"{state}, {name}", self.page.evaluate(TOO_SMALL))
            if (broad := self.page.evaluate("document.documentElement.scrollWidth")) > width:
                self._note(f"{state}, {name}", [f"{broad} of {width} pixels broad"])

    def _rules_broken(self):
        options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
        answer = self.axe.run(self.page, options=options).response
        return [
            f"{each['id']}: {node['html'][:120]} {node['failureSummary']}"
            for each in answer["violations"]
            for node in each["nodes"]
        ]

    def problems(self):
        """What is wrong, line by line."""
        return [f"{where}: {what}" for where, found in self.found.items() for what in found]

    def _note(self, where, what):
        if what:
            self.found.setdefault(where, []).extend(what)


@pytest.fixture
def axe():
    return pytest.importorskip("axe_playwright_python.sync_playwright").Axe()


@pytest.fixture
def tour(request, axe, garden, window):
    """The inspector of the tour that the test is named after."""
    garden.plant()
    inspector = Inspector(axe, window.page, garden)
    yield inspector
    assert not inspector.found, "\n".join(inspector.problems())
    assert inspector.visited == TOURS[request.node.originalname.removeprefix("test_")]


def test_the_tours_together_lead_everywhere(garden):
    paths = garden.paths()

    assert paths >= NO_PAGES
    assert paths - NO_PAGES == set().union(*TOURS.values())


@pytest.mark.browser
def test_signed_out(window, tour):
    page, look = window.page, tour.look
    for path in ("/", "/members", "/users/closed", "/dev/mailbox", CLOSE, f"{CLOSE}/done"):
        page.goto(path)
        look(path)
    page.goto("/nowhere")
    look("error")


@pytest.mark.browser
def test_coming_in(window, tour):
    page, look = window.page, tour.look
    page.goto("/users/log_in")
    look("log in")
    page.get_by_label("Email").fill(ADA_EMAIL)
    page.get_by_label("Password").fill("not her password")
    page.get_by_role("button", name="Log in").click()
    look("log in, refused")
    page.goto("/users/register")
    look("register")
    page.get_by_role("button", name="Create account").click()
    look("register, with errors")
    page.goto("/users/confirm/any-token")
    look("confirm")
    page.goto("/users/confirm")
    look("confirmation again")
    page.goto("/users/log_in")
    window.context.clear_cookies()
    page.get_by_label("Email").fill(ADA_EMAIL)
    page.get_by_label("Password").fill("anything")
    page.get_by_role("button", name="Log in").click()
    # It has no sheet: all colors are the browser's, and in the dark axe takes its ground for white.
    look("out of date", schemes=["light"])


@pytest.mark.browser
def test_without_a_password(garden, window, tour):
    page, look = window.page, tour.look
    page.goto(f"/users/reset_password/{garden.token(ADA_ID, tokens.RESET_PASSWORD)}")
    look("new password")
    page.get_by_role("button", name="Set password").click()
    look("new password, with errors")
    page.goto("/users/reset_password")
    look("forgot password")
    page.get_by_label("Email").fill(ADA_EMAIL)
    page.get_by_role("button", name="Send link").click()
    look("start page, with a notice")
    page.goto("/dev/mailbox")
    look("mailbox, with a mail")


@pytest.mark.browser
def test_signed_in(window, tour):
    page, look = window.sign_in(ADA_EMAIL, EVERYBODYS), tour.look
    page.locator("summary").click()
    look("start page, writing")
    page.goto("/users/log_in")
    look("log in once more")
    window.open_settings()
    look("settings")
    for action in ("email address", "password"):
        page.get_by_role("button", name=f"Change {action}").click()
        page.locator("[aria-invalid]").first.wait_for()
        look(f"settings, {action} with errors")
    page.goto(CLOSE)
    look("closing page")
    page.get_by_role("button", name="Delete account").click()
    look("dialog")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Current password").fill("not her password")
    dialog.get_by_label("Yes, I want to delete my account").check()
    dialog.get_by_role("button", name="Delete my account").click()
    dialog.get_by_role("alert").wait_for()
    look("dialog, refused")


@pytest.mark.browser
def test_leaving(open_window, window, tour):
    page, look = window.sign_in(GRACE_EMAIL, EVERYBODYS), tour.look
    window.open_settings()
    look("settings, blocked")
    page.goto(CLOSE)
    look("closing page, blocked")
    page.get_by_role("link", name="Herb spiral").click()
    look("group")
    page.get_by_role("button", name="Make organizer").first.click()
    page.get_by_text("one more organizer").wait_for()
    look("group, with a notice")
    page.goto(CLOSE)
    page.get_by_role("button", name="Delete account").click()
    page.get_by_label("Current password").fill(EVERYBODYS)
    page.get_by_label("Yes, I want to delete my account").check()
    page.get_by_role("button", name="Delete my account").click()
    page.get_by_text("Your account has been deleted").first.wait_for()
    look("farewell")
    page.goto("/users/closed")
    look("who left when")
    window.sign_in(ADA_EMAIL, EVERYBODYS)
    # As without a script: the form in the page, and the page of a refusal.
    page.route("**/efface.js", lambda route: route.abort())
    page.goto("/users/settings")
    page.locator("#delete-account summary").click()
    look("settings, the plain form")
    page.goto(CLOSE)
    page.get_by_label("Current password").fill("not her password")
    page.get_by_label("Yes, I want to delete my account").check()
    page.get_by_role("button", name="Delete my account").click()
    look("closing page, refused")


@pytest.mark.browser
@pytest.mark.parametrize("garden", [{"profile": "magic"}], indirect=True)
def test_by_link(garden, window, tour):
    page, look = window.page, tour.look
    page.goto("/users/register")
    look("register by link")
    page.get_by_label("Email").fill("new@garden.example")
    page.get_by_role("button", name="Create account").click()
    page.get_by_text("We've sent you an email").wait_for()
    look("log in by link or password")
    page.goto("/dev/mailbox")
    look("mailbox")
    page.locator("article").first.get_by_role("link").click()
    look("the link")
    page.get_by_role("button", name="Log in once").click()
    page.get_by_role("button", name="Log out").wait_for()
    window.open_settings()
    look("settings without a password")
    page.get_by_role("button", name="Delete account").click()
    look("dialog without a password")
    garden.clock.advance(minutes=25)
    page.goto(CLOSE)
    look("sign in again")


# ---------------------------------------------------------------- the console


def open_every_page(garden, window):
    """Open every page there is; return the paths of them."""
    page, visited = window.page, set()

    def visit(*paths):
        for path in paths:
            page.goto(path)
            page.wait_for_load_state()
            visited.update(garden.path_of(urlsplit(page.url).path))

    reset = garden.token(ADA_ID, tokens.RESET_PASSWORD)
    visit(
        *("/", "/members", "/users/closed", "/dev/mailbox", CLOSE, f"{CLOSE}/done", "/nowhere"),
        *("/users/log_in", "/users/confirm", "/users/confirm/any-token"),
        *("/users/reset_password", f"/users/reset_password/{reset}"),
    )
    page.get_by_role("button", name="Set password").click()
    page.locator("[aria-invalid]").first.wait_for()
    visit("/users/register")
    page.get_by_role("button", name="Create account").click()
    page.locator("[aria-invalid]").first.wait_for()
    visit(f"/users/log_in/{garden.token(ADA_ID, tokens.LOG_IN)}")
    window.sign_in(GRACE_EMAIL, EVERYBODYS)
    visit("/", "/users/log_in", "/users/settings", CLOSE, "/groups/1")
    page.context.clear_cookies()
    window.sign_in(ADA_EMAIL, EVERYBODYS)
    visit(CLOSE)
    window.open_settings()
    page.locator("#delete-account").get_by_role("button").first.click()
    page.get_by_role("dialog").wait_for()
    return visited


@pytest.mark.browser
def test_no_page_writes_to_the_console(garden, window):
    """Whatever Chromium says there is a complaint, which the window looks for at its end."""
    garden.plant()

    visited = open_every_page(garden, window)

    assert visited == garden.paths() - NO_PAGES - {"/users/log_in/{token}"}


@pytest.mark.browser
@pytest.mark.parametrize("garden", [{"profile": "magic"}], indirect=True)
def test_no_page_writes_to_the_console_where_links_log_in(garden, window):
    garden.plant()

    visited = open_every_page(garden, window)

    assert visited == garden.paths() - NO_PAGES


# ---------------------------------------------------------------- by keyboard


FOCUS = """() => {
  const one = document.activeElement;
  const ring = getComputedStyle(one);
  return [one.textContent.trim() || one.name, parseFloat(ring.outlineWidth), ring.outlineStyle];
}"""


@pytest.mark.browser
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_keyboard_leads_through_the_settings_and_out(garden, open_window, scheme):
    """Every stop can be seen; the dialog keeps the focus, and gives it back."""
    garden.member(name="Ada Lovelace")
    window = open_window(color_scheme=scheme)
    window.sign_in()
    page = window.open_settings()

    def walk(until, *, steps=40):
        stops = []
        while until not in stops and len(stops) < steps:
            page.keyboard.press("Tab")
            words, width, style = page.evaluate(FOCUS)
            assert (width >= 2, style) == (True, "solid"), words
            stops.append(words)
        return stops

    assert walk("Delete account")[:3] == ["Skip to content", "Elm Lane Garden", "Board"]
    page.keyboard.press("Enter")
    assert walk("Delete my account") == ["confirm", "Keep my account", "Delete my account"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUS)[0] == "Delete account"
