"""The log-in page of a small site, with Efface beside the same site without it.

Both are asked in this process, in turn, with the same cookie: each looks into the session, asks the
database who that is, and renders a form.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from http import HTTPStatus
from statistics import median
from time import perf_counter

from itsdangerous import TimestampSigner
from jinja2 import Environment
from markupsafe import Markup
from sqlalchemy import Engine, create_engine, insert, select
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import StaticPool
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from benchmarks.measure import Measure, within
from benchmarks.site import expect
from efface import Eraser
from efface.asgi import AccountClosing
from efface.asgi.csrf import CSRFMiddleware, csrf_token
from efface.sqlalchemy import hide_closed
from garden.database import utc_now
from garden.models import Base, User, policy

PATH = "/users/log_in"
SECRET = "a secret of a benchmark"  # noqa: S105  # it signs nothing of worth
SESSION = b64encode(json.dumps({"user": 1, "_csrf_secret": "MTIzNDU2Nzg5MDEyMzQ1Njc4"}).encode())
COOKIE = b"session=" + TimestampSigner(SECRET).sign(SESSION)
ROUNDS = 3000
WARM_UP = 200
PAGE = """<!doctype html><title>Log in</title><h1>Log in</h1>
<form method="post">{{ hidden }}<label>E-mail <input name="email" value="{{ email }}"></label>
<label>Password <input name="password" type="password"></label><button>Log in</button></form>"""
TEMPLATE = Environment(autoescape=True).from_string(PAGE)
FIELD = Environment(autoescape=True).from_string(
    '<input type="hidden" name="_csrf_token" value="{{ token }}">'
)


def with_and_without() -> Iterator[Measure]:
    """Compare the medians; what is measured is the difference, in milliseconds."""
    engine = filled()
    sites = [without_efface(engine), with_efface(engine)]
    theirs, ours = asyncio.run(taken(sites))
    engine.dispose()
    difference = max(0.0, ours - theirs)
    yield within("log-in page: median with Efface less the same without it", difference, 0.5, "ms")


def filled() -> Engine:
    """Return a database with one member."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        now = utc_now()
        row = {"email": "ada@garden.example", "inserted_at": now, "updated_at": now}
        connection.execute(insert(User.__table__), [row])
    return engine


def without_efface(engine: Engine) -> ASGIApp:
    """Return the site as it is before."""
    return in_sessions(site(sessionmaker(engine), lambda _: ""))


def with_efface(engine: Engine) -> ASGIApp:
    """Return the same site with hiding, the closing, and a token in each form."""
    sessions = sessionmaker(engine)
    hide_closed(sessions, policy)
    eraser = Eraser(policy, secret=SECRET)
    eraser.create_tables(engine)
    app = site(sessions, lambda request: FIELD.render(token=csrf_token(request)))
    closing = AccountClosing(
        eraser,
        session_factory=sessions,
        identify=lambda _connection: None,
        check_password=lambda _session, _key, _password: False,
    )
    closing.install(app, "/users/settings/close")
    return in_sessions(CSRFMiddleware(app))


def site(sessions: "sessionmaker[Session]", hidden: Callable[[Request], str]) -> Starlette:
    """Return an application with one page."""

    def known(connection: HTTPConnection) -> str:
        with sessions() as session:
            query = select(User).where(User.id == connection.session.get("user", 1))
            user = session.scalars(query).one_or_none()
            return user.email if user else ""

    async def log_in(request: Request) -> HTMLResponse:
        field = Markup(hidden(request))  # noqa: S704  # rendered by a template, or empty
        return HTMLResponse(TEMPLATE.render(email=known(request), hidden=field))

    return Starlette(routes=[Route(PATH, log_in)])


def in_sessions(app: ASGIApp) -> ASGIApp:
    """Return *app* inside the middleware that reads and writes the session's cookie."""
    return SessionMiddleware(app, secret_key=SECRET)


async def taken(sites: list[ASGIApp]) -> list[float]:
    """Return the median milliseconds of each site; who goes first changes from round to round."""
    times: list[list[float]] = [[] for _ in sites]
    for number in range(ROUNDS + WARM_UP):
        order = [0, 1] if number % 2 else [1, 0]
        for which in order:
            begin = perf_counter()
            body = await opened(sites[which])
            milliseconds = (perf_counter() - begin) * 1000
            # The one page holds what the other does not: otherwise nothing would be compared.
            expect((b"_csrf_token" in body, b"ada@garden.example" in body), (which == 1, True))
            if number >= WARM_UP:
                times[which].append(milliseconds)
    return [median(each) for each in times]


async def opened(app: ASGIApp) -> bytes:
    """Return the body of the page, asked for as a server does."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"garden.test"), (b"cookie", COOKIE)],
        "server": ("garden.test", 80),
        "client": ("127.0.0.1", 4711),
    }
    await app(scope, receive, send)
    expect(sent[0]["status"], HTTPStatus.OK)
    return b"".join(message.get("body", b"") for message in sent)
