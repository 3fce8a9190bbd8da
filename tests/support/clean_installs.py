"""What one does with each extra first: files of a project, commands, and what they print."""

import re
from dataclasses import dataclass

from tests.support.paths import DOCS
from tests.support.readme_differences import applied, django_and_fastapi

BLOCK = re.compile(r"^```(\w+)\n(?:# ([\w/]+\.py)\n)?(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Program:
    """Files by path, and each command with a part of what it prints."""

    files: dict[str, str]
    commands: list[tuple[list[str], str]]


def page(name, script):
    """The files that a page makes, the rest of its code as *script*, and what the page prints."""
    files, printed = {script: ""}, ""
    for language, file, code in BLOCK.findall((DOCS / f"{name}.md").read_text()):
        if language == "python":
            files[file or script] = files.get(file or script, "") + code
        elif language == "text":
            printed += code
    return files, printed


# ---------------------------------------------------------------- plain SQLAlchemy

APPLICATION, PRINTED = page("how-to/any-application", "any_application.py")

# ---------------------------------------------------------------- asgi

# What the reader of README has already, without the package on top of Starlette.
SITE = """
import asyncio
import re
from datetime import datetime
from urllib.parse import urlencode

from sqlalchemy import DateTime, ForeignKey, String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.templating import Jinja2Templates

EFFACE_SECRET = "a secret of sixteen bytes or more"


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


def log_in(request):
    request.session["user_id"] = 1
    return PlainTextResponse("")


def get_user_id(connection):
    return connection.session.get("user_id")


def check_password(session, user_id, password):
    return session.get(User, user_id).hashed_password == f"hash of {password}"


def settings(request):
    return templates.TemplateResponse(request, "settings.html")


engine = create_engine("sqlite:///site.db")
Session = sessionmaker(engine)
app = Starlette(routes=[Route("/log_in", log_in), Route("/settings", settings)])
app.add_middleware(SessionMiddleware, secret_key="a key")
templates = Jinja2Templates("templates")
"""
VISIT = """
Base.metadata.create_all(engine)
with Session.begin() as session:
    session.add(User(id=1, email="ada@example.org", hashed_password="hash of a password"))
cookies = {}


async def answer(method, path, **form):
    body, sent = urlencode(form).encode(), []
    headers = {
        "host": "site.test",
        "origin": "http://site.test",
        "content-type": "application/x-www-form-urlencoded",
        "content-length": str(len(body)),
        "cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
    }
    scope = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("site.test", 80),
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    for name, value in sent[0]["headers"]:
        if name == b"set-cookie":
            cookie, _, rest = value.decode().partition("=")
            cookies[cookie] = rest.partition(";")[0]
    text = b"".join(message.get("body", b"") for message in sent[1:]).decode()
    return sent[0]["status"], text


async def visit():
    await answer("GET", "/log_in")
    for path in ("/settings", "/users/settings/close"):
        status, text = await answer("GET", path)
        assert status == 200, text
        assert "/users/settings/close" in text
    token = re.search(r'name="_csrf_token" value="([^"]+)"', text)[1]
    form = {"_csrf_token": token, "current_password": "a password", "confirm": "yes"}
    status, text = await answer("POST", "/users/settings/close", **form)
    await closing.wait_finalized()
    assert status == 303, text
    with Session() as session:
        assert session.get(User, 1) is None
    print("The account is closed.")


asyncio.run(visit())
"""


def site():
    """The application on Starlette alone, with the lines that README adds."""
    _, difference = django_and_fastapi()
    files = applied(difference, {"app.py": SITE, "templates/settings.html": ""})
    return files | {"app.py": files["app.py"] + VISIT}


# ---------------------------------------------------------------- alembic

MIGRATIONS, _ = page("how-to/alembic", "unused.py")
# In the order of the page: the command makes a folder, in which env.py is replaced.
LEAVE = """
import shutil
from pathlib import Path

from alembic.command import downgrade, init, revision, upgrade
from alembic.config import Config
from sqlalchemy import create_engine, inspect

shutil.move("migrations/env.py", "env.py")
Path("migrations").rmdir()
config = Config("alembic.ini")
init(config, "migrations")
shutil.move("env.py", "migrations/env.py")
config = Config("alembic.ini")
config.set_main_option("sqlalchemy.url", "sqlite:///migrated.db")
revision(config, message="leaving", autogenerate=True)
(written,) = Path("migrations/versions").glob("*.py")
assert "op.create_efface_tables()" in written.read_text()
upgrade(config, "head")
engine = create_engine("sqlite:///migrated.db")
print(sorted(inspect(engine).get_table_names()))
"""

# ---------------------------------------------------------------- the others

BROKER, _ = page("how-to/workers", "broker.py")
START = 'import os\n\nos.environ |= {"REDIS_URL": "redis://localhost", "BROKER_SECRET": 16 * "x"}\n'
DRIVER = """
import psycopg
from sqlalchemy import create_engine

print(create_engine("postgresql+psycopg://user@host/name").dialect.dbapi is psycopg)
"""
SETTINGS = """
SECRET_KEY, EFFACE, USE_TZ = "a key", {"SECRET": "a secret of sixteen bytes or more"}, True
INSTALLED_APPS = [f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions")]
INSTALLED_APPS += ["efface.django"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "django.db"}}
"""
MANAGE = """
import os
import sys

from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
"""
CONFIGURATION = '[tool.efface]\neraser = "myapp.accounts:eraser"\n'

DATABASE = """
from sqlalchemy import create_engine

from myapp.models import Base

Base.metadata.create_all(create_engine("sqlite:///reflected.db"))
"""

PROGRAMS = {
    "": Program(APPLICATION, [(["python", "any_application.py"], PRINTED)]),
    "alembic": Program(
        APPLICATION | MIGRATIONS | {"leave.py": LEAVE},
        [(["python", "leave.py"], "['alembic_version', 'efface_closings', 'posts', ")],
    ),
    "asgi": Program(site(), [(["python", "app.py"], "The account is closed.")]),
    "cli": Program(
        APPLICATION | {"pyproject.toml": CONFIGURATION, "database.py": DATABASE},
        [
            (["efface", "--help"], "draft"),
            (["efface", "check"], ""),
            (["python", "database.py"], ""),
            (["efface", "draft", "--database", "sqlite:///reflected.db"], "[tables.users"),
        ],
    ),
    "django": Program(
        {"settings.py": SETTINGS, "manage.py": MANAGE},
        [
            (["python", "manage.py", "check", "--fail-level", "WARNING"], "no issues"),
            (["python", "manage.py", "migrate"], "efface"),
            (["python", "manage.py", "efface", "check"], ""),
        ],
    ),
    "postgresql": Program({"driver.py": DRIVER}, [(["python", "driver.py"], "True")]),
    "redis": Program({"broker.py": START + BROKER["broker.py"]}, [(["python", "broker.py"], "")]),
}
"""By extra; the empty name is Efface without one."""

IMPORTING = """
import importlib
import json
import sys

try:
    import django
    from django.conf import settings
except ModuleNotFoundError:
    pass
else:
    names = ("admin", "auth", "contenttypes", "messages", "sessions")
    apps = [*(f"django.contrib.{name}" for name in names), "efface.django"]
    settings.configure(INSTALLED_APPS=apps, SECRET_KEY="a key", EFFACE={"SECRET": "a secret"})
    django.setup()
said = {}
for name in sys.argv[1:]:
    try:
        module = importlib.import_module(name)
        for each in getattr(module, "__all__", ()):
            getattr(module, each)
    except Exception as error:
        # An error of Efface has its code before the sentence, and an address after it.
        lines = [line.strip() for line in str(error).splitlines()]
        said[name] = lines[1] if lines[0].startswith("E603 ") else lines[-1]
print(json.dumps(said))
"""
"""Imports the modules that it is passed, with their public names, and prints the errors."""
