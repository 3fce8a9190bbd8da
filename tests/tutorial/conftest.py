"""Ada in the garden, and her settings page in a browser."""

import pytest

from garden.models import Invoice, Order, Post
from tests.support.gardens import PASSWORD
from tests.support.page_in_node.browser import Browser as Page
from tests.tutorial.ada import ADA


@pytest.fixture
def ada(garden):
    """Ada, with a post, an order and an invoice, in a garden where Grace lives too."""
    key = garden.member(ADA, name="Ada Lovelace")
    grace = garden.member("grace@garden.example", name="Grace Hopper")
    now = garden.clock()
    with garden.sessions.begin() as session:
        for author, name in ((key, "Ada Lovelace"), (grace, "Grace Hopper")):
            body = f"Ask {name} about beans."
            session.add(Post(author_id=author, title="Beans", body=body, inserted_at=now))
            order = Order(user_id=author, item="Peas", packets=2, note="ring", ordered_at=now)
            session.add(order)
            session.flush()
            session.add(
                Invoice(
                    order_id=order.id,
                    billing_name=name,
                    billing_email="bills@garden.example",
                    total_cents=420,
                    issued_at=now,
                )
            )
    return key


@pytest.fixture
def eraser(garden):
    """The garden's eraser."""
    return garden.sessions.kw["info"]["eraser"]


@pytest.fixture
def page(garden, ada, node):
    """Ada's settings page in a browser that runs the page's own script; she is signed in."""
    with garden.served() as browsers, Page(node, browsers().address) as page:
        page.open("/users/log_in")
        page.fill("[name=email]", ADA)
        page.fill("[name=password]", PASSWORD)
        page.click("main form button")
        page.arrive("/")
        page.open("/users/settings")
        page.connected()
        yield page
