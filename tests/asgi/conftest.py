"""The small site over HTTP, and over a real server where sockets are."""

import httpx
import pytest

from tests.asgi.site import Site
from tests.support.page_in_node.serving import serve


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path / "site.db")
    yield site
    site.engine.dispose()


@pytest.fixture
def ada(site):
    return site.add("ada@example.org", posts=3)


@pytest.fixture
def grace(site):
    return site.add("grace@example.org", posts=2)


@pytest.fixture
def address(site):
    with serve(site.app) as address:
        yield address


@pytest.fixture
async def browser(address, ada):
    """Ada's browser, signed in at the real server."""
    async with Browser(base_url=address) as browser:
        yield await browser.sign_in(ada)


class Browser(httpx.AsyncClient):
    """A cookie jar that can read a page's token."""

    async def sign_in(self, key):
        answer = await self.get(f"/log_in/{key}")
        assert answer.status_code == 303
        return self

    async def token(self, path="/"):
        page = (await self.get(path)).text
        return page.split('name="csrf-token" content="')[1].split('"')[0]

    async def close_account(self, **fields):
        token = await self.token("/settings")
        return await self.post("/users/settings/close", data={"_csrf_token": token, **fields})


@pytest.fixture
def open_browser(site):
    def open_browser(app=site.app):
        return Browser(transport=httpx.ASGITransport(app), base_url="http://site.example")

    return open_browser


@pytest.fixture
def build(tmp_path, open_browser):
    """A maker of sites with other settings, and of Ada's browser there."""
    built = []

    async def build(**settings):
        site = Site(tmp_path / f"site-{len(built)}.db", **settings)
        built.append(site)
        ada = site.add("ada@example.org", posts=3)
        return site, await open_browser(site.app).sign_in(ada)

    yield build
    for site in built:
        site.engine.dispose()
