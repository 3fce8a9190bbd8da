"""Many things at the same moment, through the real server: an account closes whole, and once."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from garden.accounts import tokens
from garden.models import Plot
from tests.support.gardens import PASSWORD

pytestmark = pytest.mark.slow

CLOSE = "/users/settings/close"
ADA = "ada@garden.example"
MIN_AGE = 60
AT_ONCE = 50


@pytest.fixture
def ada(garden):
    return garden.member(name="Ada Lovelace")


@contextmanager
def site_of(garden):
    """Ada's browser at the real server, with the settings open; it ends with all that has begun."""
    with garden.served() as browser:
        laptop = browser()
        laptop.log_in(ADA)
        laptop.open("/users/settings")
        yield laptop


def sender(browser):
    """Send requests with the cookies this browser has now, as its tabs would all at once."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    address, token = browser.address, browser.token

    def send(path, method="POST", **fields):
        with httpx.Client(base_url=address, timeout=MIN_AGE) as tab:
            data = {"_csrf_token": token, **fields}
            return tab.request(method, path, data=data, headers={"Cookie": cookies})

    return send


def all_at_once(*works):
    with ThreadPoolExecutor(len(works)) as together:
        return [each.result() for each in [together.submit(work) for work in works]]


def is_whole(garden, ada):
    """Whether what the database holds of Ada is either all there or all gone."""
    row = garden.row(ada)
    traces = [
        row["email"] == ADA or row["email"].endswith("garden.example"),
        row["name"] is not None,
        row["hashed_password"] is not None,
    ]
    closed = row["deleted_at"] is not None
    assert closed is (len(garden.rows("SELECT 1 FROM efface_closings")) == 1)
    assert traces == [not closed] * 3
    if closed:
        assert garden.count("users_tokens") == 0
        assert not any("Lovelace" in str(post) for post in garden.rows("SELECT * FROM posts"))
        assert garden.rows("SELECT 1 FROM plots WHERE holder_id IS NOT NULL") == []
    return True


@pytest.mark.cases("CLO-03", "CLO-13")
def test_fifty_at_once_close_once_and_nobody_sees_an_error(garden, ada):
    with site_of(garden) as site:
        send = sender(site)
        answers = all_at_once(
            *[lambda: send(CLOSE, current_password=PASSWORD, confirm="yes")] * AT_ONCE
        )

    statuses = {answer.status_code for answer in answers}
    assert statuses <= {303, 429}
    assert garden.count("efface_closings") == 1
    assert is_whole(garden, ada)


@pytest.mark.cases("CLO-05", "XCL-06")
@pytest.mark.parametrize("other", ["e-mail", "reset", "post", "plot"])
def test_whatever_is_written_at_the_same_moment_nothing_is_half_closed(garden, ada, other):
    garden.add(Plot(label="A1", crop="beans"))
    change = garden.token(ada, tokens.CHANGE_EMAIL, "new@garden.example")
    reset = garden.token(ada, tokens.RESET_PASSWORD)
    with site_of(garden) as site:
        send = sender(site)
        others = {
            "e-mail": lambda: send(f"/users/settings/confirm_email/{change}", "GET"),
            "reset": lambda: send(
                f"/users/reset_password/{reset}",
                "PUT",
                password="another password",
                password_confirmation="another password",
            ),
            "post": lambda: send("/posts", title="Hello", body="from Ada Lovelace"),
            "plot": lambda: send("/plots/pick", plot="A1"),
        }

        closing, *late = all_at_once(
            lambda: send(CLOSE, current_password=PASSWORD, confirm="yes"), *[others[other]] * 4
        )

    assert all(answer.status_code < 500 for answer in (closing, *late))
    assert is_whole(garden, ada)
    # A new address or password may keep her from leaving; what she writes does not.
    assert other in ("e-mail", "reset") or garden.row(ada)["deleted_at"] is not None
    # What she was told is pinned was there before she left, and nothing else is.
    pinned = [answer for answer in late if answer.headers.get("location") == "/#board"]
    assert garden.count("posts") == len(pinned)


# ---------------------------------------------------------------- while a closing is under way


def while_closing(garden, ada, browser, path, **fields):
    """Send a form while the account closes, which goes on when the site waits for it."""
    if not browser.token:
        browser.open("/")
    form = {"_csrf_token": browser.token, **fields}
    return garden.while_closing(ada, lambda: browser.post(path, data=form))


@pytest.mark.cases("XCL-05")
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/users/reset_password", {"email": ADA}),
        ("/users/confirm", {"email": ADA}),
        ("/users/log_in", {"email": ADA, "action": "send_link"}),
        (
            "/users/settings",
            {
                "action": "update_email",
                "email": "new@garden.example",
                "current_password": PASSWORD,
            },
        ),
    ],
)
def test_no_letter_follows_the_closing_that_it_was_asked_for_in(open_garden, path, fields):
    garden = open_garden(profile="magic" if "action" in fields else "password")
    ada = garden.member(confirmed=path != "/users/confirm")
    browser = garden.signed_in() if path == "/users/settings" else garden.browser()

    answer = while_closing(garden, ada, browser, path, **fields)

    assert answer.status_code == 303
    assert garden.mailbox.all() == []
    assert garden.count("users_tokens") == 0


@pytest.mark.cases("XCL-06")
@pytest.mark.parametrize(
    ("path", "fields", "leads_to"),
    [
        ("/posts", {"title": "Hello", "body": "from Ada Lovelace"}, "/users/log_in"),
        ("/plots/pick", {"plot": "A1"}, "/#plots"),
        ("/users/log_in", {"email": ADA, "password": PASSWORD}, "/users/log_in"),
    ],
)
def test_nothing_stays_of_what_is_sent_while_the_account_closes(
    garden, ada, path, fields, leads_to
):
    garden.add(Plot(label="A1", crop="beans"))
    browser = garden.signed_in(ADA)

    answer = while_closing(garden, ada, browser, path, **fields)

    assert (answer.status_code, answer.headers["location"]) == (303, leads_to)
    assert garden.count("posts") == garden.count("users_tokens") == 0
    assert garden.rows("SELECT holder_id FROM plots") == [{"holder_id": None}]
    assert is_whole(garden, ada)
    assert not browser.is_signed_in


@pytest.mark.cases("RST-02", "XCL-06")
def test_a_link_that_is_used_while_the_account_closes_sets_no_password(garden, ada):
    link = f"/users/reset_password/{garden.token(ada, tokens.RESET_PASSWORD)}"
    fields = {"password": "another password", "password_confirmation": "another password"}

    answer = while_closing(garden, ada, garden.browser(), link, **fields)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert garden.mailbox.all() == []
    assert is_whole(garden, ada)


@pytest.mark.cases("LOG-11", "XCL-06")
def test_a_log_in_that_is_due_while_the_account_closes_gets_no_new_token(garden, ada):
    browser = garden.signed_in(ADA)
    garden.clock.advance(days=8)

    answer = garden.while_closing(ada, lambda: browser.get("/"))

    assert answer.status_code == 200
    assert garden.count("users_tokens") == 0
    assert not browser.is_signed_in


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"&" * 100_000,
        b"current_password=" + b"x" * 900_000,
        b"a" * (2 * 1024 * 1024),
        b"confirm=yes&" * 50_000,
        b"%ff%fe=%00",
    ],
    ids=["empty", "nothing", "long", "oversized", "many", "no text"],
)
def test_hostile_bodies_are_the_senders_mistake(garden, ada, body):
    with site_of(garden) as site:
        cookies = "; ".join(f"{name}={value}" for name, value in site.cookies.items())
        for kind in (
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/json",
        ):
            headers = {"Cookie": cookies, "Content-Type": kind, "X-CSRF-Token": site.token}
            with httpx.Client(base_url=site.address, timeout=MIN_AGE) as tab:
                answer = tab.post(CLOSE, content=body, headers=headers)

            assert 400 <= answer.status_code < 500

    assert garden.row(ada)["deleted_at"] is None


@pytest.mark.parametrize(
    "path", ["//", "/%00", "/..%2f..%2fetc%2fpasswd", "/done?reference=%00", "/done?reference='--"]
)
def test_hostile_paths_lead_nowhere(garden, ada, path):
    with site_of(garden) as site:
        answers = [site.get(f"{CLOSE}{path}"), sender(site)(f"{CLOSE}{path}")]

    assert all(re.fullmatch(r"40[3-5]", str(answer.status_code)) for answer in answers)
    assert garden.row(ada)["deleted_at"] is None
