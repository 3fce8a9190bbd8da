"""CSRF: `efface.asgi.csrf` alone, in an application that knows nothing of Efface."""

from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from efface.asgi.csrf import CSRFMiddleware, csrf_token, rotate, token_matches
from efface.asgi.request_origin import comes_from_here

FORM = "application/x-www-form-urlencoded"
HERE = "https://garden.example"


async def token(request):
    return PlainTextResponse(csrf_token(request))


async def whoami(request):
    return PlainTextResponse(request.session.get("name", "nobody"))


async def sign_in(request):
    rotate(request)
    request.session["name"] = request.path_params["name"]
    return PlainTextResponse("in")


async def echo(request):
    request.app.state.acts.append(request.method)
    body = await request.body()
    return JSONResponse({"body": body.decode(), "fields": request.headers.get("content-type")})


def build(**settings):
    app = Starlette(
        routes=[
            Route("/token", token),
            Route("/whoami", whoami),
            Route("/sign_in/{name}", sign_in),
            Route("/echo", echo, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]
    )
    app.state.acts = []
    app.add_middleware(CSRFMiddleware, **settings)
    app.add_middleware(SessionMiddleware, secret_key="s" * 32)
    return app


@asynccontextmanager
async def browsing(app, base=HERE):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base) as client:
        yield client


@pytest.fixture
def anyio_backend():
    return "asyncio"


pytestmark = pytest.mark.anyio


@pytest.fixture
def app():
    return build()


@pytest.fixture
async def browser(app):
    async with browsing(app) as client:
        await client.get("/sign_in/Ada")
        yield client


async def fresh(client):
    return (await client.get("/token")).text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.cases("CSR-01")
async def test_no_unsafe_method_passes_without_a_token(app, browser, method):
    await fresh(browser)

    answer = await browser.request(method, "/echo")

    assert answer.status_code == 403
    assert app.state.acts == []
    assert (await browser.get("/whoami")).text == "Ada"


@pytest.mark.parametrize("way", ["form", "header"])
@pytest.mark.cases("CSR-02")
async def test_two_renderings_differ_and_both_pass(browser, way):
    first, second = await fresh(browser), await fresh(browser)

    answers = [
        await browser.post("/echo", data={"_csrf_token": each})
        if way == "form"
        else await browser.post("/echo", headers={"X-CSRF-Token": each})
        for each in (first, second)
    ]

    assert first != second
    assert [answer.status_code for answer in answers] == [200, 200]


def test_the_first_and_the_last_byte_of_the_secret_both_count():
    """A comparison that looks at less than everything would let one of these pass."""
    session = {}
    connection = HTTPConnection({"type": "http", "headers": [], "session": session})
    plain = csrf_token(connection, randomness=bytes)  # a mask of zeros shows the secret

    assert token_matches(session, plain)
    for position in (24, 47):
        other = "B" if plain[position] == "A" else "A"
        assert not token_matches(session, plain[:position] + other + plain[position + 1 :])


@pytest.mark.parametrize(
    "garbage",
    ["", "x", "A" * 47, "A" * 48, "A" * 49, "é" * 48, "=" * 48, "A" * 100_000, "\x00" * 48],
    ids=["empty", "x", "short", "zeros", "long", "not-ascii", "padding", "huge", "nul"],
)
@pytest.mark.cases("CSR-01")
async def test_garbage_is_refused_politely(app, browser, garbage):
    await fresh(browser)

    answer = await browser.post("/echo", data={"_csrf_token": garbage})

    assert answer.status_code == 403
    assert app.state.acts == []


@pytest.mark.cases("CSR-01")
async def test_the_token_of_another_session_is_refused(app, browser):
    await fresh(browser)
    async with browsing(app) as other:
        foreign = await fresh(other)

    answer = await browser.post("/echo", data={"_csrf_token": foreign})

    assert answer.status_code == 403


async def test_a_token_without_its_session_cookie_is_refused(app, browser):
    token = await fresh(browser)

    async with browsing(app) as other:
        answer = await other.post("/echo", data={"_csrf_token": token})

    assert answer.status_code == 403


async def test_a_token_in_the_address_does_not_count(browser):
    answer = await browser.post(f"/echo?_csrf_token={await fresh(browser)}")

    assert answer.status_code == 403


@pytest.mark.cases("CSR-04", "LOG-04")
async def test_a_page_rendered_before_another_person_signed_in_is_stale(app, browser):
    stale = await fresh(browser)
    await browser.get("/sign_in/Grace")
    await fresh(browser)

    answer = await browser.post(
        "/echo", data={"_csrf_token": stale}, headers={"Referer": f"{HERE}/settings?tab=2"}
    )

    assert answer.status_code == 403
    assert "out of date" in answer.text
    assert '<a href="/settings">Go back to the page</a>' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert app.state.acts == []


async def test_a_refusal_leaves_the_session_cookie_alone(browser):
    await fresh(browser)

    answer = await browser.post("/echo", data={"_csrf_token": "stale"})

    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "referer",
    [
        "https://evil.example/x",
        f"{HERE}//evil.example",
        "javascript:alert(1)",
        "http://[",
        f"{HERE}",
    ],
)
async def test_the_way_back_never_leads_off_the_site(browser, referer):
    answer = await browser.post("/echo", headers={"Referer": referer})

    assert '<a href="/">Go back to the page</a>' in answer.text
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [{"Accept": "application/json"}, {"X-CSRF-Token": "stale"}, {"Sec-Fetch-Mode": "cors"}],
    ids=["accept", "header", "fetch"],
)
async def test_a_script_is_answered_in_json(browser, headers):
    answer = await browser.delete("/echo", headers=headers)

    assert answer.status_code == 403
    assert answer.json()["error"] == "csrf"
    assert "Reload" in answer.json()["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": HERE}, 200),
        ({"Origin": f"{HERE}:443"}, 200),
        ({"Origin": "https://GARDEN.example"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://garden.example"}, 403),
        ({"Origin": f"{HERE}:8443"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": f"{HERE}:port"}, 403),
        ({"Origin": f"{HERE}.evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": HERE, "Sec-Fetch-Site": "cross-site"}, 403),
    ],
    ids=str,
)
async def test_where_a_request_comes_from_decides_besides_the_token(browser, headers, status):
    token = await fresh(browser)

    answer = await browser.post("/echo", data={"_csrf_token": token}, headers=headers)

    assert answer.status_code == status


@pytest.mark.parametrize("origin", [b"null", b""])
def test_an_origin_and_a_host_that_are_both_nothing_are_not_the_same(origin):
    """Without a Host header there is nothing to compare with; that is no match."""
    scope = {"type": "http", "scheme": "http", "headers": [(b"origin", origin)]}

    assert not comes_from_here(HTTPConnection(scope), trusted=["garbage"])


async def test_a_trusted_origin_passes_with_its_token():
    async with browsing(build(trusted_origins=["https://www.example"])) as client:
        token = await fresh(client)

        answer = await client.post(
            "/echo",
            data={"_csrf_token": token},
            headers={"Origin": "https://www.example", "Sec-Fetch-Site": "cross-site"},
        )

    assert answer.status_code == 200


@pytest.mark.parametrize("way", ["urlencoded", "multipart"])
async def test_the_form_reaches_the_application_unread(browser, way):
    fields = {"_csrf_token": await fresh(browser), "text": "ä & b"}
    parts = {"files": {name: (None, value) for name, value in fields.items()}}

    answer = await browser.post("/echo", **(parts if way == "multipart" else {"data": fields}))

    assert answer.status_code == 200
    assert ("text=%C3%A4+%26+b" if way == "urlencoded" else "ä & b") in answer.json()["body"]


async def test_a_body_that_comes_in_pieces_is_put_together(browser):
    token = await fresh(browser)

    async def pieces():
        for piece in (b"a=1&_csrf", b"_token=", token.encode(), b"&b=2"):
            yield piece

    answer = await browser.post("/echo", content=pieces(), headers={"Content-Type": FORM})

    assert answer.json()["body"] == f"a=1&_csrf_token={token}&b=2"


async def test_a_form_too_large_to_read_needs_the_header():
    async with browsing(build(largest_form=1000)) as client:
        token = await fresh(client)
        body = {"_csrf_token": token, "text": "x" * 1000}

        by_field = await client.post("/echo", data=body)
        by_header = await client.post("/echo", data=body, headers={"X-CSRF-Token": token})

    assert (by_field.status_code, by_header.status_code) == (413, 200)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=\xff", b"--\xff"),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--",
        ),
        (FORM, b"\xff\xfe=%ZZ&&&==;"),
        (FORM, b"a&" * 2000),
        ("application/json", b'{"_csrf_token": 1}'),
    ],
    ids=["no-boundary", "latin-boundary", "no-name", "bytes", "many-fields", "json"],
)
async def test_a_body_that_is_no_form_is_refused_politely(browser, content_type, body):
    answer = await browser.post(
        "/echo", content=body, headers={"Content-Type": content_type.encode("latin-1")}
    )

    assert answer.status_code == 403


async def test_a_missing_session_is_named_with_the_line_to_add():
    app = Starlette(routes=[Route("/token", token)])

    async with browsing(app) as client:
        with pytest.raises(RuntimeError, match="SessionMiddleware"):
            await client.get("/token")
