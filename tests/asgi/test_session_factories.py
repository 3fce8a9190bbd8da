"""Other hosts: async sessions, FastAPI, no extra installed; and what follows the commit."""

import asyncio
import logging
import subprocess
import sys

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool
from starlette.middleware.sessions import SessionMiddleware

from efface.asgi.csrf import CSRFMiddleware
from tests.asgi.conftest import Browser
from tests.asgi.site import PASSWORD, Site
from tests.support.page_in_node.serving import serve

pytestmark = pytest.mark.anyio

RIGHT = {"current_password": PASSWORD, "confirm": "yes"}


@pytest.fixture
async def async_site(tmp_path):
    """The same site, its closing on async sessions and an async `identify`."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/site.db", poolclass=NullPool)

    async def identify(connection):
        return await asyncio.to_thread(Site.identify, site, connection)

    site = Site(tmp_path / "site.db", session_factory=async_sessionmaker(engine), identify=identify)
    yield site
    await site.closing.wait_finalized()
    await engine.dispose()
    site.engine.dispose()


async def test_async_sessions_close_and_settle(async_site, open_browser):
    ada = async_site.add("ada@example.org", posts=2)

    async with open_browser(async_site.app) as browser:
        await browser.sign_in(ada)
        wrong = await browser.close_account(current_password="wrong", confirm="yes")
        right = await browser.close_account(**RIGHT)
    await async_site.closing.wait_finalized()

    assert (wrong.status_code, right.status_code) == (422, 303)
    assert not async_site.is_open(ada)
    with async_site.engine.connect() as connection:
        assert connection.scalar(text("SELECT finalized_at FROM efface_closings")) is not None


async def test_where_the_section_cannot_ask_it_links_to_the_page_that_can(async_site, open_browser):
    async with open_browser(async_site.app) as browser:
        await browser.sign_in(async_site.add("ada@example.org"))
        settings = await browser.get("/settings")
        page = await browser.get("/users/settings/close")

    assert (
        '<a href="/users/settings/close">See what will be deleted and what we keep</a>'
        in settings.text
    )
    assert "What will be deleted</h2>" in page.text


async def test_a_route_may_prepare_the_section(async_site, open_browser):
    original = async_site.settings

    async def prepared(request):
        await async_site.closing.prepare(request)
        return await original(request)

    async_site.settings = prepared
    async_site.closing._installed = None
    async with open_browser(async_site.build()) as browser:
        await browser.sign_in(async_site.add("ada@example.org"))
        settings = await browser.get("/settings")

    assert "What will be deleted</h3>" in settings.text


async def test_it_installs_into_fastapi(site, ada, open_browser):
    app = FastAPI()
    site.closing._installed = None
    site.closing.install(app, "/account/close")
    app.add_route("/log_in/{id:int}", site.log_in)
    app.add_route("/settings", site.settings)
    app.add_middleware(CSRFMiddleware)
    app.add_middleware(SessionMiddleware, secret_key="s" * 32, max_age=None)

    async with open_browser(app) as browser:
        await browser.sign_in(ada)
        fields = {"_csrf_token": await browser.token("/settings"), **RIGHT}
        answer = await browser.post("/account/close", data=fields)

    await site.closing.wait_finalized()
    assert answer.status_code == 303
    assert not site.is_open(ada)


def test_shutdown_waits_for_what_has_been_closed(site, ada):
    """Uvicorn stops while the second pass is still to come: it is not lost."""

    async def close(address):
        async with Browser(base_url=address) as browser:
            await browser.sign_in(ada)
            return await browser.close_account(**RIGHT)

    with serve(site.app) as address:
        answer = asyncio.run(close(address))

    assert answer.status_code == 303
    with site.engine.connect() as connection:
        assert connection.scalar(text("SELECT finalized_at FROM efface_closings")) is not None


async def test_a_settling_that_fails_is_reported_by_its_reference(site, ada, open_browser, caplog):
    async with open_browser() as browser:
        await browser.sign_in(ada)
        with caplog.at_level(logging.DEBUG, "efface.asgi"):
            answer = await browser.close_account(**RIGHT)
            with site.engine.begin() as connection:
                reference = connection.scalar(text("SELECT reference FROM efface_closings"))
                connection.execute(text("DROP TABLE posts"))
            await site.closing.wait_finalized()

    assert answer.status_code == 303
    assert f"Finalizing {reference} failed" in caplog.text
    assert "ada@" not in caplog.text


async def test_what_shutdown_cannot_wait_for_is_said(site, ada, open_browser, caplog):
    async with open_browser() as browser:
        await browser.sign_in(ada)
        await browser.close_account(**RIGHT)
        await site.closing._attempts.finalize_at_shutdown(0)

    assert "1 closures were not finalized" in caplog.text
    await site.closing.wait_finalized()


def test_a_missing_extra_is_one_sentence_with_the_line_to_paste():
    program = "import sys; sys.modules['jinja2'] = None; from efface.asgi import AccountClosing"

    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.endswith('efface.asgi needs jinja2. Install it: pip install "efface[asgi]"')
