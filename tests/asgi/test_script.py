"""The page's script in its real form, run by Node against the real server."""

import threading

import pytest
from sqlalchemy import text
from starlette.responses import RedirectResponse

from tests.asgi.site import PASSWORD
from tests.support.page_in_node.browser import Browser, BrowserError

OPEN, SUBMIT, CANCEL = "[data-efface=open]", "[data-efface=submit]", "[data-efface=cancel]"
# From the click to the farewell the tutorial's own tests go too, and those are always run.
pytestmark = pytest.mark.slow

PASSWORD_FIELD, CONFIRM = "[name=current_password]", "[name=confirm]"
CONFIRMATION_EMAIL = ["DELETE /users/log_out 204", "GET / 200"]


class Person(Browser):
    """Somebody signed in, on the settings page, whose socket is open."""

    def sign_in(self, key):
        self.open(f"/log_in/{key}")
        self.connected()
        return self

    def fill_in(self, password=PASSWORD):
        self.click(OPEN)
        self.fill(PASSWORD_FIELD, password)
        self.check(CONFIRM)

    def farewell(self):
        """What happened since the settings page."""
        return self.requests()[2:]


@pytest.fixture
def laptop(node, address, ada):
    with Person(node, address) as laptop:
        yield laptop.sign_in(ada)


def closings(site):
    with site.engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM efface_closings"))


@pytest.mark.tutorial("T25", "T26", "T27", "T28", "T29")
def test_from_the_click_to_the_start_page(site, laptop, ada):
    laptop.fill_in()
    laptop.click(SUBMIT)
    laptop.arrive("/")

    assert laptop.sent() == ["anonymize"]
    assert laptop.farewell() == CONFIRMATION_EMAIL
    assert laptop.traffic("navigate")[-1]["how"] == "replace"
    assert site.log_outs == ["application/json"]
    assert "Nobody is signed in." in laptop.html
    assert not site.is_open(ada)


@pytest.mark.cases("CLO-12")
@pytest.mark.tutorial("T25")
def test_a_canceled_dialog_sends_nothing(site, laptop, ada):
    laptop.fill_in()
    laptop.click(CANCEL)

    assert laptop.state["visible"] == ["open", "dialog"]
    assert laptop.sent() == []
    assert laptop.farewell() == []
    assert site.is_open(ada)


def test_without_password_or_tick_nothing_is_sent(laptop):
    laptop.click(OPEN)
    laptop.click(SUBMIT)

    assert laptop.sent() == []
    assert laptop.farewell() == []


@pytest.mark.cases("CLO-13")
def test_many_clicks_are_one_closing_one_log_out_one_navigation(site, laptop):
    laptop.fill_in()
    for _ in range(3):
        laptop.click(SUBMIT)
        laptop.request_submit("[data-efface=form]")
    laptop.arrive("/")

    assert laptop.sent() == ["anonymize"]
    assert laptop.farewell() == CONFIRMATION_EMAIL
    assert len(laptop.traffic("navigate")) == 2
    assert closings(site) == 1


@pytest.mark.cases("CLO-10")
def test_a_wrong_password_is_said_in_the_dialog_and_may_be_mended(site, laptop, ada):
    laptop.fill_in("wrong")
    laptop.click(SUBMIT)
    laptop.see("That password is incorrect")
    was_open = site.is_open(ada)

    laptop.fill(PASSWORD_FIELD, PASSWORD)
    laptop.click(SUBMIT)
    laptop.arrive("/")

    assert was_open
    assert laptop.sent() == ["anonymize", "anonymize"]
    assert laptop.farewell() == CONFIRMATION_EMAIL
    assert not site.is_open(ada)


def test_every_open_tab_and_device_leaves(node, address, site, laptop, ada):
    with Person(node, address) as phone:
        phone.sign_in(ada)
        laptop.fill_in()
        laptop.click(SUBMIT)
        phone.arrive("/")
        laptop.arrive("/")

        assert phone.sent() == []
        assert phone.farewell() == CONFIRMATION_EMAIL
        assert "Nobody is signed in." in phone.html


@pytest.mark.cases("CLO-09")
def test_without_a_socket_the_plain_form_does_the_same(site, laptop, ada):
    laptop.faults(socketless=True)
    laptop.drop()
    laptop.wait("socket close")
    laptop.fill_in()
    laptop.click(SUBMIT)
    laptop.arrive("/")

    assert laptop.sent() == []
    assert laptop.farewell() == ["POST /users/settings/close 303", "GET / 200"]
    assert "Your account has been deleted" in laptop.html
    assert not site.is_open(ada)


@pytest.mark.cases("CLO-10")
def test_a_wrong_password_in_the_plain_form_gives_the_page_again(laptop):
    laptop.faults(socketless=True)
    laptop.drop()
    laptop.wait("socket close")
    laptop.fill_in("wrong")
    laptop.click(SUBMIT)
    laptop.arrive("/users/settings/close")
    laptop.see("That password is incorrect")

    assert laptop.state["status"] == 422
    assert "form" in laptop.state["visible"]


def test_what_was_clicked_offline_is_never_sent_later(site, laptop, ada):
    laptop.faults(offline=True)
    laptop.drop()
    laptop.wait("socket close")
    with pytest.raises(BrowserError, match="not connected"):
        laptop.push("anonymize", {"current_password": PASSWORD, "confirm": "yes"})
    laptop.faults(offline=False)
    laptop.connected()

    assert laptop.sent() == []
    assert site.is_open(ada)


@pytest.mark.cases("CLO-08")
def test_a_lost_reply_is_never_replayed_and_ends_on_the_start_page(site, laptop, ada):
    laptop.faults(deaf=True)
    laptop.fill_in()
    laptop.click(SUBMIT)
    laptop.wait("socket close")  # the server has closed the account, acked, pushed: unheard
    laptop.arrive("/")

    assert laptop.sent() == ["anonymize"]
    assert laptop.farewell() == CONFIRMATION_EMAIL
    assert closings(site) == 1


@pytest.mark.cases("CLO-08", "CLO-13")
def test_a_reply_lost_with_the_connection_is_learned_at_the_next(site, laptop, ada):
    laptop.fill_in()
    laptop.faults(deaf=True)
    laptop.click(SUBMIT)
    laptop.drop()
    laptop.faults(deaf=False)
    laptop.arrive("/")

    assert laptop.sent() == ["anonymize"]
    assert "Nobody is signed in." in laptop.html
    assert closings(site) == 1


def test_an_interrupted_answer_is_said_and_may_be_sent_again(site, laptop, ada):
    """The connection goes after the click, and the server had never heard of it."""
    site.closing.live._handlers["anonymize"] = hanging = Hanging()
    laptop.fill_in()
    laptop.click(SUBMIT)
    hanging.wait()
    laptop.drop()
    laptop.see("The connection was lost")
    site.closing.live._handlers["anonymize"] = site.closing._on_anonymize
    laptop.connected()
    laptop.fill(PASSWORD_FIELD, PASSWORD)
    laptop.click(SUBMIT)
    laptop.arrive("/")

    assert laptop.sent() == ["anonymize", "anonymize"]
    assert closings(site) == 1


class Hanging:
    """A handler that does not answer until the socket is gone."""

    def __init__(self):
        self._reached = threading.Event()

    async def __call__(self, event):
        self._reached.set()
        await event.websocket.receive()

    def wait(self):
        assert self._reached.wait(10)


def test_a_dropped_connection_comes_back(laptop):
    for count in (1, 2, 3):
        laptop.drop()
        laptop.wait("socket close", count)
        laptop.connected()

    assert len(laptop.traffic("socket open")) == 4


@pytest.mark.cases("CSR-04")
def test_a_page_of_one_person_does_nothing_once_the_browser_is_somebody_elses(
    site, laptop, ada, grace
):
    """Another tab has signed in as Grace: this page, Ada's, is good for neither."""
    laptop.elsewhere(f"/log_in/{grace}")
    laptop.drop()
    laptop.wait("socket close", 3)  # refused at the handshake, again and again
    laptop.fill_in()
    laptop.click(SUBMIT)
    laptop.see("This page is out of date")

    assert laptop.state["status"] == 403
    assert '<a href="/settings">' in laptop.html
    assert laptop.sent() == []
    assert site.is_open(ada)
    assert site.is_open(grace)


def test_the_token_is_read_when_it_is_needed(laptop, grace):
    """A long-lived page may have put a fresh one in its place since it was loaded."""
    fresh = laptop.elsewhere(f"/log_in/{grace}").split('name="csrf-token" content="')[1]
    laptop.change("meta[name='csrf-token']", "content", fresh.split('"')[0])
    laptop.drop()
    laptop.wait("socket open", 2)
    laptop.connected()

    assert len(laptop.traffic("socket close")) == 1


@pytest.mark.parametrize(("fault", "said"), [("fail", None), ("stale", 403)])
@pytest.mark.cases("CLO-15")
def test_a_log_out_that_fails_still_ends_on_the_public_page(site, laptop, ada, fault, said):
    laptop.faults(logOut=fault)
    laptop.fill_in()
    laptop.click(SUBMIT)
    laptop.arrive("/")

    assert not site.is_open(ada)
    assert "Nobody is signed in." in laptop.html
    assert "not confirmed" in laptop.state["warnings"][0]
    assert len(laptop.traffic("navigate")) == 2
    deletes = [line for line in laptop.requests() if line.startswith("DELETE")]
    assert deletes == ([f"DELETE /users/log_out {said}"] if said else [])


@pytest.mark.parametrize("status", [302, 303])
@pytest.mark.cases("CLO-15")
def test_the_start_page_never_receives_a_delete(site, laptop, status):
    """A 302 would make browsers repeat the DELETE there."""
    site.log_out_answer = RedirectResponse("/", status)
    laptop.fill_in()
    laptop.click(SUBMIT)
    laptop.arrive("/")

    assert laptop.farewell() == [f"DELETE /users/log_out {status}", "GET / 200"]
    assert laptop.state["warnings"] == []


@pytest.mark.parametrize(
    "hostile",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
    ],
)
def test_a_hostile_path_from_the_server_or_the_page_leads_to_the_start_page(
    site, laptop, ada, hostile
):
    site.closing.live._to = hostile
    laptop.fill_in()
    laptop.click(SUBMIT)
    laptop.arrive("/")

    assert laptop.traffic("navigate")[-1]["to"] == "/"
    assert laptop.farewell() == CONFIRMATION_EMAIL


def test_a_page_out_of_the_back_forward_cache_is_loaded_anew(laptop):
    laptop.dispatch("pageshow", persisted=True)
    laptop.wait("navigate", 2)

    assert laptop.traffic("navigate")[-1]["how"] == "reload"


@pytest.mark.tutorial("T31a")
def test_a_page_sends_events_of_its_own(site, laptop):
    @site.closing.live.on("pick_plot")
    async def pick_plot(event):
        event.reply({"plot": event.payload["plot"]})

    ack = laptop.push("pick_plot", {"plot": 7})

    assert ack["status"] == "ok"
    assert ack["payload"] == {"plot": 7}


def test_a_page_that_is_one_too_many_goes_on_with_its_forms(site, node, address, ada):
    site.closing.live._most = 0
    with Person(node, address) as laptop:
        laptop.open(f"/log_in/{ada}")
        laptop.wait("socket close")
        laptop.fill_in()
        laptop.click(SUBMIT)
        laptop.arrive("/")

        assert [entry["code"] for entry in laptop.traffic("socket close")] == [4430]
        assert laptop.sent() == []
    assert not site.is_open(ada)
