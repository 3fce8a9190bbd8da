"""README: its lines close an account, and it shows what one gets."""

import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from garden.accounts import tokens
from garden.models import User
from garden.sample_data import ADA, ADA_EMAIL, ADA_ID, plant
from tests.support.documentation import Written, at, block
from tests.support.gardens import Browser, InProcess
from tests.support.readme_differences import README, added_lines, applied, django_and_fastapi

# What the reader of README has already: models in a Base, sessions, an app, a log-in.
HOST = """
from datetime import datetime
from fastapi import FastAPI, Request
from fastapi.templating import Jinja2Templates
from sqlalchemy import DateTime, ForeignKey, String, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from starlette.middleware.sessions import SessionMiddleware

EFFACE_SECRET, SESSION_SECRET = "a key of sixteen bytes or more", "a secret"

class Base(DeclarativeBase):
    pass

class User(Base):
    __tablename__ = "users"
    email: Mapped[str] = mapped_column(String(160), unique=True)
    hashed_password: Mapped[str | None]
    id: Mapped[int] = mapped_column(primary_key=True)

class UserToken(Base):
    __tablename__ = "users_tokens"
    token: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)

engine = create_engine("sqlite:///host.db")
Session = sessionmaker(engine)
app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key=SESSION_SECRET)
templates = Jinja2Templates("templates")

def get_user_id(connection):
    with Session() as session:
        token = connection.session.get("token")
        query = select(User.id).join(UserToken).where(UserToken.token == token)
        return session.scalars(query).one_or_none()

def check_password(session, user_id, password):
    return session.get(User, user_id).hashed_password == f"hash of {password}"

@app.get("/log_in")
def log_in(request: Request):
    request.session["token"] = "ada's laptop"

@app.delete("/users/log_out")
def log_out(request: Request):
    request.session.clear()

@app.get("/users/settings")
def settings(request: Request):
    return templates.TemplateResponse(request, "settings.html")
"""


def test_readme_is_120_lines_at_most():
    assert len(README.read_text().splitlines()) <= 120


@pytest.fixture
def site(tmp_path):
    """The host with the lines that README adds, and Ada in it."""
    _, difference = django_and_fastapi()
    before = {"app.py": HOST, "templates/settings.html": ""}
    after = applied(difference, before)
    with at(tmp_path) as monkeypatch:
        Written(tmp_path, monkeypatch, "before").python(f"# before/app.py\n{before['app.py']}")
        host = Written(tmp_path, monkeypatch, "host")
        host.file("{# templates/settings.html #}\n" + after["templates/settings.html"])
        host.python(f"# host/app.py\n{after['app.py']}")
        site = host.modules["host.app"]
        site.Base.metadata.create_all(site.engine)
        with site.Session.begin() as session:
            hashed = "hash of a password"
            session.add(site.User(id=1, email=ADA_EMAIL, hashed_password=hashed))
            session.add(site.UserToken(token="ada's laptop", user_id=1))
        yield site
        site.engine.dispose()


def left_of_ada(site):
    """Her row, when none of her log-ins is left."""
    with site.engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM users_tokens")).all() == []
        return connection.execute(text("SELECT * FROM users")).one()


def test_the_lines_to_add_are_twenty_and_close_an_account(site, loop):
    browser = Browser("http://host.test", transport=InProcess(site.app, loop))
    browser.get("/log_in")
    browser.open("/users/settings")
    token = re.search(r'name="_csrf_token" value="([^"]+)"', browser.page)[1]
    fields = {"_csrf_token": token, "current_password": "a password", "confirm": "yes"}
    answer = browser.post("/users/settings/close", data=fields)
    loop.call(site.closing.wait_finalized)

    row = left_of_ada(site)
    assert "Delete account" in browser.page
    assert answer.status_code == 303
    assert row.email.endswith("@users.invalid")
    assert (row.hashed_password, row.deleted_at is None) == (None, False)
    _, difference = django_and_fastapi()
    assert len(added_lines(difference)) <= 20


def test_four_lines_close_an_account_without_a_page(site):
    code = block(README, "python")
    names = {"Session": site.Session, "eraser": site.eraser, "user_id": 1}

    exec(compile(code, "README.md", "exec"), names)

    row = left_of_ada(site)
    assert row.email.endswith("@users.invalid")
    assert (row.hashed_password, row.deleted_at is None) == (None, False)
    assert names["receipt"].search.is_clean
    assert len(code.splitlines()) == 4


@pytest.fixture
def community(garden):
    """The demo's garden; Ada is signed in on the laptop and the phone, as in its story."""
    with garden.sessions.begin() as session:
        plant(session, now=garden.clock())
        ada = session.get(User, ADA_ID)
        for _ in range(2):
            tokens.generate_user_session_token(session, ada)
    return garden


def adas(garden):
    """What README's table says about Ada, as the database has it."""
    row = garden.row(ADA_ID)
    columns = ("id", "email", "name", "hashed_password", "confirmed_at", "deleted_at")
    named = f"title || body LIKE '%{ADA}%' OR title || body LIKE '%{ADA_EMAIL}%'"

    def count(query):
        return len(garden.rows(f"SELECT 1 FROM {query}"))

    posts, orders = "posts WHERE author_id = 1", "orders WHERE user_id = 1"
    return {f"users.{name}": f"`{_shown(row[name])}`" for name in columns} | {
        "users_tokens": _rows(count("users_tokens WHERE user_id = 1")),
        "posts": f"{_rows(count(posts))}, {count(f'{posts} AND ({named})')} name her",
        "plots": _rows(count("plots WHERE holder_id = 1")),
        "orders": f"{_rows(count(orders))}, {count(f'{orders} AND note IS NOT NULL')} with a note",
        "invoices": _rows(count(f"invoices WHERE order_id IN (SELECT id FROM {orders})")),
    }


def _rows(count):
    return f"{count} row{'' if count == 1 else 's'}"


def _shown(value):
    if isinstance(value, datetime) and value.tzinfo:
        value = value.astimezone(UTC)  # psycopg gives it in the time zone of this process
    found = "NULL" if value is None else str(value).removesuffix("+00:00").removesuffix(".000000")
    return found if not found.startswith("$argon2") else f"{found[:20]}…"


def alike(cell):
    """A cell without what chance and the clock decide."""
    cell = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "<time>", cell)
    return re.sub(r"anonymized-[0-9a-f]{32}@", "anonymized-<token>@", cell)


# What README leaves out, to fit the first screen.
NOT_SHOWN = [
    ("users.id", "`1`", "`1`"),
    ("users.hashed_password", "`$argon2id$v=19$m=194…`", "`NULL`"),
    ("users.confirmed_at", "`2020-05-10 11:34:53`", "`NULL`"),
    ("users.deleted_at", "`NULL`", "`2026-11-24 14:21:53`"),
    ("plots", "1 row", "0 rows"),
    ("orders", "13 rows, 9 with a note", "13 rows, 0 with a note"),
]


@pytest.mark.fastapi("README tells of the demo of this garden")
def test_before_and_after_are_what_the_demo_gives(community):
    table = re.findall(
        r"^\| `([\w.]+)`[^|]*\| (.+?) \| (.+?) \|$", README.read_text(), re.MULTILINE
    )
    eraser = community.sessions.kw["info"]["eraser"]

    before = adas(community)
    receipt = community.close(ADA_ID)
    with community.sessions.begin() as session:
        finalized = eraser.finalize(session, receipt)

    after = adas(community)
    kept = next(step for step in finalized.steps if step.action == "retain")
    after["invoices"] += f", kept ({kept.reason})"
    assert str(kept.until) == "2036-12-31"
    assert len(table) == 5
    assert {name for name, _, _ in table + NOT_SHOWN} == before.keys()
    for name, old, new in table + NOT_SHOWN:
        assert (alike(old), alike(new)) == (alike(before[name]), alike(after[name]))
    assert finalized.search.is_clean


@pytest.mark.fastapi("these are doors of SQLAlchemy")
@pytest.mark.parametrize(
    ("door", "statement"),
    [
        ("select(User.__table__)", select(User.__table__)),
        ("text()", text("SELECT * FROM users")),
        (
            'select(User).from_statement(text("..."))',
            select(User).from_statement(text("SELECT * FROM users")),
        ),
    ],
)
def test_the_doors_that_stay_open_are_named(garden, door, statement):
    """Also that they are open: a door that was closed since is no longer worth a warning."""
    garden.close(garden.member())

    with garden.sessions() as session:
        assert session.scalars(select(User)).all() == []
        assert len(session.execute(statement).all()) == 1
    assert f"`{door}`" in README.read_text()
