"""Several tabs of one browser, and a server that goes away for a while."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Error, expect

from garden.models import Plot
from tests.browser.conftest import LIVE, Window
from tests.support.gardens import PASSWORD

pytestmark = pytest.mark.browser

PUSH = """plot => import("/users/settings/close/efface.js")
  .then(({ live }) => live.push("pick_plot", { plot }))"""


@pytest.fixture
def ada(garden):
    garden.add(Plot(label="B7", crop="peas"), Plot(label="C1", crop=""))
    return garden.member(name="Ada Lovelace")


def log_out(page):
    page.goto("/members")
    page.get_by_role("button", name="Log out").click()
    page.get_by_text("See you soon!").wait_for()


@pytest.mark.cases("CSR-04")
@pytest.mark.parametrize("form", ["settings", "closing"])
def test_a_form_from_before_the_log_out_leads_back_to_a_fresh_one(garden, ada, open_window, form):
    """tutorial:G24"""
    window = open_window(java_script_enabled=False)
    stale, other = window.sign_in(), window.context.new_page()
    stale.goto("/users/settings")
    log_out(other)
    window.sign_in(page=other)

    if form == "closing":
        stale.locator("summary").click()
        fields = stale.locator("#delete-account")
        fields.get_by_label("Yes, I want to delete my account").check()
        button = fields.get_by_role("button", name="Delete my account")
    else:
        fields = stale.get_by_role("region", name="Change your email address")
        button = fields.get_by_role("button")
    fields.get_by_label("Current password").fill(PASSWORD)
    with stale.expect_response(lambda answer: answer.request.method == "POST") as answered:
        button.click()

    assert answered.value.status == 403
    expect(stale.get_by_role("heading")).to_be_visible()
    expect(stale.locator("body")).to_contain_text("Nothing was changed.")
    stale.get_by_role("link", name="Go back to the page").click()
    stale.wait_for_url("**/users/settings")
    expect(stale.get_by_role("heading", name="Settings")).to_be_visible()
    assert garden.row(ada)["deleted_at"] is None


@pytest.mark.cases("CSR-04")
def test_a_tab_with_a_live_page_leaves_when_another_one_logs_out(garden, ada, window):
    """tutorial:LV-14"""
    window.sign_in()
    live, other = window.open_settings(), window.context.new_page()

    log_out(other)

    live.wait_for_url("**/")
    expect(live.get_by_role("link", name="Log in")).to_be_visible()
    assert window.frames == []
    assert ("DELETE", live.url) not in window.requests
    assert garden.row(ada)["deleted_at"] is None
    # Its own log-out is that of an older page: refused, lest it end a log-in that came after.
    refused, told = window.complaints
    assert refused.startswith("403 ")
    assert refused.endswith("/users/log_out")
    assert "but the session has ended" in told
    window.complaints.clear()


def test_what_one_does_while_the_server_is_away_is_never_done_later(garden, ada, browser_engine):
    """tutorial:LV-02, tutorial:LV-10"""
    with garden.served() as browsers:
        address = browsers().address
        context = browser_engine.new_context(base_url=address)
        window = Window(context)
        window.sign_in()
        page = window.open_settings()
    page.evaluate(LIVE, arg=False)
    with pytest.raises(Error, match="not connected"):
        page.evaluate(PUSH, "B7")

    with garden.served(urlsplit(address).port):
        page.evaluate(LIVE, arg=True)
        assert page.evaluate(PUSH, "C1")["status"] == "ok"

    assert [urlsplit(page.url).path, len(window.frames)] == ["/users/settings", 1]
    assert garden.rows("SELECT label FROM plots WHERE holder_id IS NOT NULL") == [{"label": "C1"}]
    context.close()
