"""A running garden for tests, and browsers that carry cookies and tokens as real ones do.

The fixtures are known everywhere through `conftest.py`. Each test runs with the
garden on FastAPI, in its own process, over SQLite; and, marked slow, over PostgreSQL and with the
garden on Django, in a process of that one's own. A test about one garden alone says so and why:
`pytest.mark.fastapi`, `pytest.mark.django`.

def test_something(garden):
    ada = garden.member("ada@garden.example", name="Ada Lovelace")
    browser = garden.signed_in("ada@garden.example")
    answer = browser.submit("/users/settings/close", current_password=PASSWORD, confirm="yes")
"""

from tests.support.gardens.browser import PASSWORD, Browser, InProcess, alike
from tests.support.gardens.garden import SECRET, Clock

__all__ = ["PASSWORD", "SECRET", "Browser", "Clock", "InProcess", "alike"]
