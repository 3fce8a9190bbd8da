"""Take the pictures of the documentation: a member leaves the garden, in a real browser.

    python docs/pictures.py          needs Chromium; on Debian: apt-get install chromium

The community, the clock and the size of the window are the same each time; fonts are the system's.
"""
# ruff: noqa: INP001, T201  # a script beside pages, which talks to whoever runs it

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "examples"))

from garden.app import create_app  # noqa: E402  # the line above makes it importable
from garden.demo import upgrade  # noqa: E402
from garden.sample_data import ADA_EMAIL, GRACE_EMAIL, PASSWORD, plant  # noqa: E402
from garden.server_thread import bind, serving  # noqa: E402
from garden.site_settings import Settings  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
WINDOW = {"width": 720, "height": 430}
TALLER = {"width": 660, "height": 760}
PHONE = {"width": 412, "height": 915}
MARGIN = 46
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

Shutter = Callable[[Page, str], None]


def main() -> int:
    """Take the pictures and return the exit status."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("Chromium was not found; on Debian: apt-get install chromium")
        return 1
    PICTURES.mkdir(exist_ok=True)

    def save(page: Page, name: str) -> None:
        path = PICTURES / f"{name}.png"
        page.screenshot(path=path, animations="disabled", caret="hide")
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KiB")

    with sync_playwright() as driver:
        # Chromium refuses its sandbox to root, which is who works in a container.
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with garden() as address:
            meet_others(browser, address, save)
            leave(browser, address, save)
        browser.close()
    return 0


@contextmanager
def garden() -> Iterator[str]:
    """Serve the demo's garden, and give its address."""
    with TemporaryDirectory(prefix="garden-") as folder:
        settings = Settings(f"sqlite:///{folder}/garden.db", "only for pictures", dev=True)
        app = create_app(settings, clock=lambda: NOW)
        upgrade(app.state.engine)
        with app.state.sessions.begin() as session:
            plant(session, now=NOW)
        bound = bind("127.0.0.1", 0)
        with serving(app, bound):
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        app.state.engine.dispose()


@contextmanager
def window(browser: Browser, address: str, **look: Any) -> Iterator[Page]:
    """Open a window in English, by daylight, where *look* says nothing else."""
    usual = {"viewport": WINDOW, "color_scheme": "light", "locale": "en-US"}
    context = browser.new_context(
        base_url=address,
        # Letters stay sharp where pixels are small, and the pictures load fast.
        device_scale_factor=1.25,
        reduced_motion="reduce",
        **{**usual, **look},
    )
    yield context.new_page()
    context.close()


def open_settings(page: Page, email: str) -> None:
    """Log in, open the settings, and show their end: the section that deletes the account."""
    page.goto("/users/log_in")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Log out").wait_for()
    page.goto("/users/settings")

    # Its script has run when the plain form is hidden, and from then on the page keeps its height.
    page.locator("#delete-account [data-efface=plain]:visible").wait_for(state="hidden")
    section = page.locator("#delete-account").bounding_box()
    bottom = section["y"] + section["height"] + MARGIN
    page.evaluate("y => window.scrollTo(0, y)", bottom - page.viewport_size["height"])


def leave(browser: Browser, address: str, shutter: Shutter) -> None:
    """Close Ada's account as she would, and take a picture of each thing she sees."""
    with window(browser, address) as page:
        open_settings(page, ADA_EMAIL)
        shutter(page, "settings")

        page.set_viewport_size(TALLER)
        page.get_by_role("button", name="Delete account").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Current password").fill(PASSWORD)
        dialog.get_by_label("Yes, I want to delete my account").check()
        shutter(page, "dialog")

        page.set_viewport_size(WINDOW)
        dialog.get_by_role("button", name="Delete my account").click()
        page.wait_for_url("**/")
        page.get_by_role("status").get_by_text("Your account has been deleted").wait_for()
        shutter(page, "goodbye")


def meet_others(browser: Browser, address: str, shutter: Shutter) -> None:
    """Show the section to Grace, who is blocked, and to others in dark mode and in German."""
    with window(browser, address) as page:
        open_settings(page, GRACE_EMAIL)
        shutter(page, "blocked")

    with window(browser, address, viewport=PHONE, color_scheme="dark") as page:
        open_settings(page, ADA_EMAIL)
        page.get_by_role("button", name="Delete account").click()
        shutter(page, "phone")

    with window(browser, address, viewport=TALLER, locale="de-DE") as page:
        open_settings(page, ADA_EMAIL)
        page.get_by_role("button", name="Konto löschen").click()
        shutter(page, "german")


if __name__ == "__main__":
    sys.exit(main())
