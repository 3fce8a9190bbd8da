"""The town on a real server, and its person on a laptop and a phone."""

import pytest

from tests.django.live.pages.browsers import opened
from tests.support.django_projects.processes import Town


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return Town(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="module")
def address(town):
    with town.served() as address:
        yield address


@pytest.fixture
async def laptop(address):
    async with opened(address) as laptop:
        yield await laptop.join()


@pytest.fixture
async def phone(address, laptop):
    async with opened(address) as phone:
        yield await phone.log_in(laptop.key)
