"""The garden in real Chromium: windows that note what their pages send, ask for and complain of."""

from contextlib import ExitStack

import pytest
from playwright.sync_api import sync_playwright

from tests.support.gardens import PASSWORD

# A page of a test that Playwright waits for longer than this is not coming.
MIN_AGE = 20_000
LIVE = """async (open) => {
  const { live } = await import("/users/settings/close/efface.js");
  while (live.isOpen !== open) await new Promise((later) => setTimeout(later, 20));
}"""
WATCH = """
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  console.error(`Content-Security-Policy: ${violatedDirective} ${blockedURI}`));
"""


class Window:
    """One browser of one person, with cookies of its own; `page` is its first tab."""

    def __init__(self, context):
        self.context = context
        self.complaints, self.frames, self.requests = [], [], []
        context.set_default_timeout(MIN_AGE)
        context.add_init_script(WATCH)
        context.on("page", self._watch)
        context.on("request", lambda asked: self.requests.append((asked.method, asked.url)))
        context.on("response", self._look_at)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.page = context.new_page()

    def sign_in(self, email="ada@garden.example", password=PASSWORD, page=None):
        """Log in through the form, and arrive on the start page."""
        page = page or self.page
        page.goto("/users/log_in")
        form = page.locator("form.card").filter(has=page.locator("[name=password]"))
        form.get_by_label("Email").fill(email)
        form.get_by_label("Password").fill(password)
        form.get_by_role("button", name="Log in").click()
        page.get_by_role("button", name="Log out").wait_for()
        return page

    def open_settings(self):
        """Open the settings page, and wait for its live socket."""
        self.page.goto("/users/settings")
        self.page.evaluate(LIVE, arg=True)
        return self.page

    def asked(self, *ends):
        """The methods of the requests for paths with one of these ends, in order."""
        return [method for method, url in self.requests if url.endswith(ends)]

    # Playwright takes functions of Python alone, and no `list.append`.

    def _watch(self, page):
        page.on("websocket", lambda wire: wire.on("framesent", self._sent))

    def _sent(self, frame):
        self.frames.append(frame)

    def _look_at(self, answer):
        # A page may be an error page; what a page is made of may not.
        if answer.status >= 400 and answer.request.resource_type != "document":
            self.complaints.append(f"{answer.status} {answer.url}")

    def _hear(self, said):
        # Chromium advises on forms at the level "verbose", which Playwright calls "debug".
        if "Failed to load resource" not in said.text:
            self.complaints.append(f"{said.type}: {said.text} {said.location['url']}")


@pytest.fixture(scope="module")
def browser_engine(chromium):
    """One Chromium for a file; by then no test of another one starts an event loop."""
    with sync_playwright() as driver:
        engine = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield engine
        engine.close()


@pytest.fixture
def open_window(browser_engine, garden):
    """A maker of windows on the garden; at the end none of them may have complained."""
    windows = []
    with garden.served() as browsers, ExitStack() as opened:
        address = browsers().address

        def open_window(**look):
            context = browser_engine.new_context(
                base_url=address, **{"locale": "en-US", "reduced_motion": "reduce", **look}
            )
            opened.callback(context.close)
            windows.append(Window(context))
            return windows[-1]

        yield open_window
    assert [window.complaints for window in windows if window.complaints] == []


@pytest.fixture
def window(open_window):
    """A window as wide as a desk."""
    return open_window()
