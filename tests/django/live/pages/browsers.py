"""Browsers at the live town, and what they send."""

from itertools import count

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.asgi.sockets import live

CLOSE = "/account/close"
PASSWORD = "runner beans and peas"
RIGHT = {"current_password": PASSWORD, "confirm": "yes"}
names = count()


class Browser(httpx.AsyncClient):
    """A browser in which somebody is logged in."""

    key = None

    async def join(self):
        answer = await self.get(f"/join/person{next(names)}")
        self.key = answer.raise_for_status().json()["pk"]
        return self

    async def log_in(self, key):
        (await self.get(f"/log_in/{key}")).raise_for_status()
        self.key = key
        return self

    async def token(self):
        page = (await self.get("/settings")).text
        return page.split('name="csrf-token" content="')[1].split('"')[0]

    async def close_account(self, **fields):
        token = await self.token()
        return await self.post(CLOSE, data={"csrfmiddlewaretoken": token, **fields})


def opened(address):
    return Browser(base_url=address, timeout=30)


async def refused(browser, **handshake):
    with pytest.raises(InvalidStatus) as refusal:
        async with live(browser, **handshake):
            pass  # pragma: no cover
    return refusal.value.response.status_code
