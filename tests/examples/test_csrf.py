"""Forms and scripts of other sites, and pages that have grown stale."""

import pytest
from websockets.exceptions import InvalidStatus

EMAIL = "ada@garden.example"
POST = {"title": "Beans", "body": "They are up."}


@pytest.fixture
def browser(garden):
    garden.member()
    browser = garden.signed_in()
    browser.open("/")
    return browser


@pytest.mark.cases("CSR-01")
@pytest.mark.parametrize(
    "sent",
    [
        ("field", None),
        ("field", ""),
        ("field", "garbage"),
        ("field", "of another session"),
        ("header", "garbage"),
        ("header", "of another session"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/posts"),
        ("POST", "/users/settings"),
        ("PUT", "/users/settings"),
        ("DELETE", "/users/log_out"),
        ("PATCH", "/users/settings"),
        ("POST", "/users/settings/close"),
    ],
)
def test_without_this_sessions_token_nothing_is_done(garden, browser, sent, method, path):
    stranger = garden.browser()
    stranger.open("/users/log_in")
    before = garden.everything()
    carrier, token = sent
    token = stranger.token if token == "of another session" else token
    fields = {"_csrf_token": token} if carrier == "field" and token is not None else {}
    headers = {"X-CSRF-Token": token} if carrier == "header" else {}

    answer = browser.request(method, path, data={**fields, **POST}, headers=headers)

    assert answer.status_code == 403
    assert garden.everything() == before
    assert browser.is_signed_in


@pytest.mark.cases("CSR-02")
def test_field_and_header_are_both_good_and_renderings_differ(garden, browser):
    first = browser.token
    browser.open("/")
    second = browser.token

    field = browser.post("/posts", data={"_csrf_token": first, **POST})
    header = browser.post("/posts", data=POST, headers={"X-CSRF-Token": second})

    assert first != second
    assert (field.status_code, header.status_code) == (303, 303)
    assert garden.count("posts") == 2


@pytest.mark.cases("CSR-04")
@pytest.mark.parametrize("logs_in_again", [True, False])
def test_a_page_from_before_the_log_out_in_another_tab_gets_a_page_and_a_way_on(
    garden, browser, logs_in_again
):
    stale = {"_csrf_token": browser.token, **POST}
    browser.submit("/users/log_out", _method="delete")
    if logs_in_again:
        browser.log_in(EMAIL)

    answer = browser.post("/posts", data=stale, headers={"Referer": "http://garden.test/members"})

    assert answer.status_code == 403
    assert "<h1>" in answer.text
    assert 'href="/members"' in answer.text
    assert garden.count("posts") == 0
    on = "/#board" if logs_in_again else "/users/log_in"
    assert browser.submit("/posts", **POST).headers["location"] == on


@pytest.mark.cases("CSR-04")
def test_a_strangers_page_from_before_the_log_in_in_another_tab_gets_a_page_and_a_way_on(garden):
    garden.member()
    browser, path = garden.browser(), "/users/reset_password"
    browser.open(path)
    stale = {"_csrf_token": browser.token, "email": EMAIL}
    browser.log_in(EMAIL)

    answer = browser.post(path, data=stale, headers={"Referer": f"http://garden.test{path}"})

    assert answer.status_code == 403
    assert "<h1>" in answer.text
    assert f'href="{path}"' in answer.text
    assert garden.mailbox.all() == []
    assert browser.is_signed_in


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://garden.test"])
def test_a_form_of_another_site_is_refused_even_with_the_token(garden, browser, origin):
    """tutorial:CS-11"""
    data = {"_csrf_token": browser.token, **POST}

    answer = browser.post("/posts", data=data, headers={"Origin": origin})

    assert answer.status_code == 403
    assert garden.count("posts") == 0


@pytest.mark.cases("CSR-05")
@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "http://evil.example"},
        {"origin": None},
        {"token": ""},
        {"token": "garbage"},
    ],
)
def test_a_handshake_from_elsewhere_is_refused(garden, changes):
    garden.member()
    with garden.served() as browser:
        laptop = browser()
        laptop.log_in(EMAIL)

        with pytest.raises(InvalidStatus) as refusal, laptop.socket(**changes):
            pass

    assert refusal.value.response.status_code == 403
