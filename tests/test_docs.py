"""The documentation: its code runs in the order of the page, its links lead somewhere, and what
it shows is what one gets."""

import json
import os
import re
import runpy
import struct
import subprocess
import sys
import tomllib
from contextlib import closing, contextmanager, redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from sqlalchemy import create_engine, select, text
from typer.main import get_command

from efface.cli.app import app
from efface.errors import IncompletePolicyError, raise_problems
from efface.policy.check import check
from garden.accounts import tokens
from garden.models import User
from garden.sample_data import ADA, ADA_EMAIL, ADA_ID, PASSWORD, plant
from garden.server_thread import bind, serving
from tests.support.gardens import Browser, InProcess
from tests.support.paths import ROOT
from tests.support.readme_differences import README, added_lines, applied, django_and_fastapi

URLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
ADDRESS = URLS["Homepage"]
PICTURES = ROOT / "docs" / "pictures"
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?:# |\{# )([\w/]+\.(?:py|html))(?: #\})?\n")
LARGEST_PICTURE = 120 * 1024


def blocks(page):
    """Language and text of each block of code, in order."""
    return BLOCK.findall(page.read_text())


def block(page, language):
    """The first block in a language."""
    return next(code for found, code in blocks(page) if found == language)


class Written:
    """What a reader has after typing a page so far: modules, files, and what was printed."""

    def __init__(self, folder, monkeypatch, *packages):
        self.folder, self._monkeypatch = folder, monkeypatch
        self.modules, self.scratch = {}, {"__name__": "scratch"}
        for package in packages:
            self._module(package).__path__ = []

    def python(self, code):
        """Run a block, in the module whose file it names or by itself; return what it prints."""
        named = FILE.match(code)
        if named and named[1].startswith("migrations/"):
            self.file(code)
            return ""
        space = self._module(named[1]).__dict__ if named else self.scratch
        with redirect_stdout(StringIO()) as printed:
            exec(compile(code, named[1] if named else "scratch", "exec"), space)
        return printed.getvalue()

    def file(self, code):
        """Write the file that a block names."""
        path = self.folder / FILE.match(code)[1]
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)

    def _module(self, path):
        name = path.removesuffix(".py").replace("/", ".")
        if name not in self.modules:
            self.modules[name] = module = ModuleType(name)
            self._monkeypatch.setitem(sys.modules, name, module)
            package, _, attribute = name.rpartition(".")
            if package:
                setattr(self.modules[package], attribute, module)
        return self.modules[name]


@contextmanager
def at(folder, **environment):
    """Work in *folder*, with more in the environment."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield monkeypatch


def without_chance(printed):
    """A text without what differs from run to run: digests and the year."""
    return re.sub(r"plan [0-9a-f]{6}|(?<=until )\d{4}", "…", printed)


# ---------------------------------------------------------------- every page


def test_each_address_begins_with_the_one_of_the_project():
    """So that README works wherever it is shown, and one search finds what a move changes."""
    links = re.findall(r"\]\(([^)\s]+)\)|(https?:[^\s)]+)", README.read_text())

    for link in (*URLS.values(), *filter(None, (left or right for left, right in links))):
        assert link.startswith(ADDRESS), link
    for name in URLS.keys() - {"Source"}:
        assert (ROOT / URLS[name].removeprefix(ADDRESS)).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"', page.read_text())

    for target in filter(None, (link or source for link, source in targets)):
        path, _, anchor = target.partition("#")
        if path.startswith(ADDRESS):
            there = ROOT / path.removeprefix(ADDRESS)
        else:
            there = (page.parent / path) if path else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}


def test_the_index_lists_every_page():
    docs = ROOT / "docs"
    listed = re.findall(r"\]\(([^)#]+\.md)\)", (docs / "README.md").read_text())

    pages = {str(page.relative_to(docs)) for page in docs.rglob("*.md")}
    assert set(listed) == pages - {"README.md"}


def test_the_glossary_is_in_alphabetical_order_with_one_text_for_each_term():
    page = (ROOT / "docs" / "glossary.md").read_text()
    entries = re.findall(r"^### (.+)\n\n(.+(?:\n.+)*)\n", page, re.MULTILINE)
    terms = [term.replace("`", "").lower() for term, _ in entries]

    assert len(terms) == page.count("\n### ")
    assert terms == sorted(set(terms), key=alphabetical)


def alphabetical(term):
    """A term as a reader looks it up: signs do not count."""
    return re.sub(r"\W|_", "", term)


def test_commands_are_there():
    """The tutorial's are run below."""
    targets = re.search(r"^COMMANDS = (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    commands = [
        line.removeprefix("$ ").partition("  ")[0].split()
        for page in PAGES
        if page.name != "tutorial.md"
        for language, code in blocks(page)
        if language == "console"
        for line in code.splitlines()
    ]

    assert ["make", "demo"] in commands
    for tool, *arguments in commands:
        assert tool in ("alembic", "efface", "git", "make", "pip", "python3")
        if tool == "make":
            assert set(arguments) <= set(targets.split())
        elif tool == "alembic":
            assert arguments[0] in ("check", "revision", "upgrade")
        elif tool == "efface":
            assert arguments[0] in get_command(app).commands
        elif tool == "pip":
            assert re.fullmatch(r'install (efface|"efface\[\w+(,\w+)*\]")', " ".join(arguments))
        elif tool == "git":
            assert arguments == ["clone", URLS["Source"], "&&", "cd", "efface"]
        else:
            assert (ROOT / arguments[0]).is_file()


def test_pictures_are_shown_and_load_fast():
    shown = {path.name for path in PICTURES.glob("*.png")}
    sizes = {path: path.stat().st_size for path in PICTURES.glob("*.png")}

    assert shown == {
        Path(found).name
        for page in PAGES
        for found in re.findall(r"pictures/[\w-]+\.png", page.read_text())
    }
    assert {path: size for path, size in sizes.items() if size > LARGEST_PICTURE} == {}


def measures(png):
    """Width and height of a picture."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


@pytest.mark.browser
def test_the_pictures_are_what_one_sees(browser_engine):
    """Fonts are the system's, so not to the dot: the same part of the same page, with its words."""
    script = runpy.run_path(str(ROOT / "docs" / "pictures.py"))
    expected = {
        "blocked": [
            "Before you can delete your account",
            "You are the last organizer of Herb spiral.",
        ],
        "phone": ["Keep my account", "Delete my account"],
        "german": ["Was gelöscht wird", "Was wir aufbewahren", "Mein Konto löschen"],
        "settings": ["Delete your account?", "Delete account"],
        "dialog": ["What will be deleted", "What we keep", "Keep my account", "Delete my account"],
        "goodbye": [
            "Your account has been deleted, and you've been logged out on all devices. Goodbye!"
        ],
    }
    seen = []

    def look(page, name):
        seen.append(name)
        for words in expected[name]:
            found = page.get_by_text(words, exact=True).locator("visible=true")
            box, window = found.bounding_box(), page.viewport_size
            assert box["y"] >= 0, words
            assert box["y"] + box["height"] <= window["height"], words
        assert measures(page.screenshot()) == measures((PICTURES / f"{name}.png").read_bytes())

    with script["garden"]() as address:
        script["meet_others"](browser_engine, address, look)
        script["leave"](browser_engine, address, look)

    assert seen == list(expected)


# ---------------------------------------------------------------- README

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


# ---------------------------------------------------------------- the tutorial

TUTORIAL = ROOT / "docs" / "tutorial.md"


class Reader:
    """Somebody who types the tutorial and runs it, from the first line to the last."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.typed = folder, Written(folder, monkeypatch, "club")
        self.printed, self.messages = [], []
        self.story = None

    def read(self):
        """Do what each block says."""
        for language, code in blocks(TUTORIAL):
            getattr(self, f"_{language}")(code)

    def alembic(self, *arguments):
        command = [sys.executable, "-m", "alembic", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def _sql(self, code):
        engine = create_engine(os.environ["DATABASE_URL"])
        with engine.begin() as connection:
            for statement in code.split(";\n"):
                connection.execute(text(statement))
        engine.dispose()
        assert self.alembic("init", "migrations").returncode == 0
        configuration = self.folder / "alembic.ini"
        address = f"sqlalchemy.url = {os.environ['DATABASE_URL']}"
        changed = re.sub(
            r"^sqlalchemy\.url = .*$", address, configuration.read_text(), flags=re.MULTILINE
        )
        configuration.write_text(changed)

    def _python(self, code):
        if printed := self.typed.python(code):
            self.printed.append([printed, None])

    def _text(self, code):
        if code.startswith("E"):
            self.printed.append([forgetful(), code])
        else:
            self.printed[-1][1] = code

    def _html(self, code):
        self.typed.file(code)

    def _json(self, code):
        self.messages += map(json.loads, code.splitlines())

    def _js(self, code):
        script = (ROOT / "src" / "efface" / "page" / "static" / "efface.js").read_text()
        assert code in script

    def _console(self, code):
        if "alembic" in code.split():
            assert code == "$ alembic upgrade head\n"
            done = self.alembic("upgrade", "head")
            assert done.returncode == 0, done.stderr
        elif not code.startswith("$ pip install "):
            assert code == "$ DEV=1 uvicorn club.app:app\n"
            self.story = leave(self.typed.modules["club.app"], self.messages[0])
        else:
            assert code.splitlines()[1:] == ['$ pip install "efface[asgi,alembic]"']
            assert code.startswith("$ pip install fastapi ")  # test_installs.py reads these lines


def forgetful():
    """What the second step says where the mark on the name was forgotten."""
    code = next(code for _, code in blocks(TUTORIAL) if code.startswith("# club/models.py"))
    mark = "name: Mapped[str | None] = mapped_column(personal(Clear()))"
    assert mark in code
    with pytest.MonkeyPatch.context() as monkeypatch:
        site = Written(None, monkeypatch, "club")
        site.python(code.replace(mark, "name: Mapped[str | None]"))
        problems = check(site.modules["club.models"].policy)
    with pytest.raises(IncompletePolicyError) as stopped:
        raise_problems(problems)
    return f"{stopped.value}\n"


def leave(site, message):
    """Ada leaves through the real server, with a laptop and a phone."""
    socket = bind("127.0.0.1", 0)
    address = f"http://127.0.0.1:{socket.getsockname()[1]}"
    with (
        serving(site.app, socket) as server,
        closing(Browser(address)) as laptop,
        closing(Browser(address)) as phone,
    ):
        for device in (laptop, phone):
            assert device.log_in(ADA_EMAIL, PASSWORD).status_code == 303
        section = laptop.open("/users/settings").text
        with laptop.socket() as here, phone.socket() as there:
            members = here.push("count_members")
            here.wire.send(json.dumps(message))
            heard = [here.hear(), here.hear()]
            heard_on_the_phone = there.hear()
        log_out = laptop.script("DELETE", "/users/log_out")
        start = laptop.open("/").text
        server.wait_for(site.closing.wait_finalized())
        return SimpleNamespace(
            section=section,
            members=members,
            heard=heard,
            heard_on_the_phone=heard_on_the_phone,
            log_out=log_out.status_code,
            start=start,
            phone_is_signed_in=phone.is_signed_in,
            refused=phone.log_in(ADA_EMAIL, PASSWORD).status_code,
        )


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A reader at the end of the page."""
    folder = tmp_path_factory.mktemp("club")
    environment = {
        "DATABASE_URL": f"sqlite:///{folder}/club.db",
        "EFFACE_SECRET": "a key of sixteen bytes or more",
        "SESSION_SECRET": "a secret",
        "DEV": "1",
    }
    with at(folder, **environment) as monkeypatch:
        reader = Reader(folder, monkeypatch)
        reader.read()
        yield reader
        reader.typed.modules["club.database"].engine.dispose()


@pytest.mark.tutorial("T06")
def test_the_tutorial_prints_what_it_says(reader):
    assert len(reader.printed) == 4
    for printed, said in reader.printed:
        assert without_chance(printed) == without_chance(said)


@pytest.mark.tutorial("T06")
def test_at_the_end_of_the_tutorial_one_can_leave(reader):
    story = reader.story

    assert "Delete account" in story.section
    assert "tax law" in story.section
    assert story.members == {"ack": 1, "status": "ok", "payload": {"members": 2}}
    assert story.heard == reader.messages[1:]
    assert story.heard_on_the_phone == reader.messages[-1]
    assert story.log_out == 204
    assert "You have been logged out. Goodbye!" in story.start
    assert "Beans for everybody. — a former member (a former member)" in story.start
    assert not story.phone_is_signed_in
    assert story.refused == 422


@pytest.mark.tutorial("T06")
def test_nothing_is_undecided_in_the_tutorial_and_nothing_worth_a_warning(reader):
    assert reader.typed.modules["club.database"].eraser.check() == ()


@pytest.mark.tutorial("T06")
def test_the_way_back_is_refused_once_somebody_has_left(reader):
    refused = reader.alembic("downgrade", "base")

    assert refused.returncode != 0
    assert "ClosedAccountsError" in refused.stderr


def test_the_table_cites_tests_that_exist():
    table = TUTORIAL.read_text().partition("## Compare with the original tutorial")[2]
    tests = (ROOT / "tests" / "test_tutorial.py").read_text()

    cited = re.findall(r"T\d\d[ab]?", table)

    assert len(cited) > 20
    assert [name for name in cited if f'"{name}"' not in tests] == []


# ---------------------------------------------------------------- invalid CSRF token

INVALID = ROOT / "docs" / "invalid-csrf-token.md"
PROTECT = ROOT / "docs" / "how-to" / "csrf.md"


@pytest.fixture
def notes(tmp_path, loop):
    """A browser at the site that the guide builds."""
    with at(tmp_path, SESSION_SECRET="a secret") as monkeypatch:
        server = Written(tmp_path, monkeypatch)
        for language, code in blocks(PROTECT):
            if language == "python":
                server.python(code)
        server.file(block(PROTECT, "html"))
        app = server.modules["server"].app
        yield Browser("http://notes.test", transport=InProcess(app, loop))


def test_a_token_is_accepted_in_the_field_and_in_the_header(notes):
    notes.open("/notes")
    field = re.search(r'name="_csrf_token" value="([^"]+)"', notes.page)[1]

    for options in ({"data": {"_csrf_token": field}}, {"headers": {"X-CSRF-Token": notes.token}}):
        assert notes.post("/notes", **options).text == "Noted."
    assert notes.post("/notes", params={"_csrf_token": field}).status_code == 403


def test_after_a_log_in_in_another_tab_one_sees_the_page_that_is_shown(notes):
    notes.open("/notes")
    stale = notes.token
    notes.post("/login", data={"_csrf_token": stale})
    headers = {"Origin": "http://notes.test", "Referer": "http://notes.test/notes"}

    refused = notes.post("/notes", data={"_csrf_token": stale}, headers=headers)

    assert refused.status_code == 403
    shown = [re.sub(r"[*>]+", "", line).strip() for line in INVALID.read_text().splitlines()]
    quoted = [line for line in shown if line]
    for words in re.findall(r"<(?:h1|p|a)[^>]*>([^<]+)", refused.text):
        assert all(part in " ".join(quoted) for part in re.split(r"(?<=\.) ", words.strip())), words
    assert notes.get(re.search(r'href="([^"]+)"', refused.text)[1]).status_code == 200


def test_the_script_reads_the_token_when_it_sends_and_reloads_a_stale_page(node):
    harness = """
        let token = "first", reloads = 0, sent = [];
        const tag = { getAttribute: () => token };
        globalThis.document = { querySelector: () => tag };
        globalThis.location = { reload: () => { reloads += 1; } };
        globalThis.fetch = async (path, { headers }) => {
          sent.push(headers["X-CSRF-Token"]);
          return { status: token === "second" ? 204 : 403 };
        };
        await send("/notes", "POST");
        token = "second";
        await send("/notes", "POST");
        console.log(JSON.stringify([sent, reloads]));
    """
    command = [node, "--input-type=module", "--eval", block(PROTECT, "js") + harness]

    printed = subprocess.check_output(command, text=True)

    assert json.loads(printed) == [["first", "second"], 1]


# ---------------------------------------------------------------- how-to

HOW_TO = ROOT / "docs" / "how-to"


HOW_TO_PAGES = [("jwt", "myapp"), ("fastapi-users", "myapp"), ("any-application", "myapp")]


@pytest.mark.parametrize(("page", "package"), HOW_TO_PAGES)
def test_a_how_to_prints_what_it_shows(page, package, tmp_path):
    """The others are read where their subject is tested, such as the guides for Django."""
    shown, printed = [], []
    with at(tmp_path) as monkeypatch:
        typed = Written(tmp_path, monkeypatch, package)
        for language, code in blocks(HOW_TO / f"{page}.md"):
            if language == "python" and (said := typed.python(code)):
                printed.append(said)
            elif language == "text":
                shown.append(code)
        typed.scratch["engine"].dispose()

    assert shown
    assert printed == shown


# ---------------------------------------------------------------- the architecture


def test_the_tree_is_the_tree():
    """Every folder of the package, and of Django's integration, has its line."""
    tree = next(code for _, code in blocks(ROOT / "ARCHITECTURE.md") if code.startswith("src/"))
    described, folder = set(), ""
    for inner, name in re.findall(r"^(│   )?[├└]── (\S+)/ +\S", tree, re.MULTILINE):
        folder = folder if inner else name
        described.add(f"{folder}/{name}" if inner else name)
    package = ROOT / "src" / "efface"
    command = ["git", "ls-files", "*.py"]
    tracked = subprocess.check_output(command, cwd=package, text=True).split()

    folders = {str(Path(name).parent) for name in tracked}
    # What Django itself looks for has the names that Django gives it.
    theirs = ("django/management", "django/migrations", "django/templatetags")
    inner = {each for each in folders if each.startswith("django/") and each not in theirs}
    expected = {each for each in folders if "/" not in each} | inner
    expected -= {".", "django/management/commands"}

    assert described == expected


def test_the_picture_of_layers_is_what_the_linter_checks():
    """import-linter holds the layers against the imports, and this the picture against them."""
    page = (ROOT / "ARCHITECTURE.md").read_text()
    picture = re.search(r"```text\n(sqlalchemy \| alembic.*?)```", page, re.DOTALL)[1]
    drawn = [re.split(r"\s{2,}", line)[0] for line in picture.splitlines()]

    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c["layers"] for c in contracts["contracts"] if c["id"] == "stages")

    # A layer in brackets may be missing, as long as it has no work yet.
    assert drawn == [re.sub(r"[()]", "", layer) for layer in layers]
