"""A small site with members: three tables, sessions, a settings page with the section."""

import hashlib
import secrets
import weakref
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from jinja2 import Environment
from sqlalchemy import DateTime, ForeignKey, create_engine, delete, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from efface.asgi import AccountClosing
from efface.asgi.csrf import CSRFMiddleware, csrf_token, rotate
from efface.eraser.eraser import Eraser
from efface.policy.actions import Clear, Placeholder, Redact, ReplaceMentions, Revoke
from efface.policy.declarations import data_subject, on_close, personal
from efface.policy.policy import Policy

PASSWORD = "correct horse battery"
REMEMBER = "_remember_me"


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    __table_args__ = (data_subject(identifiers=["email"]),)

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(personal(Placeholder.email()), unique=True)
    hashed_password: Mapped[str | None] = mapped_column(personal(Clear()))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class UserToken(Base):
    __tablename__ = "users_tokens"
    __table_args__ = (on_close(Revoke(), via="user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    token: Mapped[str]


class Post(Base):
    __tablename__ = "posts"
    __table_args__ = (on_close(Redact(), via="author_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    body: Mapped[str] = mapped_column(personal(ReplaceMentions("a former member")))


PAGE = Environment(autoescape=True).from_string(
    """<!doctype html>
<html><head><meta name="csrf-token" content="{{ csrf_token(request) }}"><title>{{ title }}</title>
</head><body>
{% if flash %}<p role="status">{{ flash }}</p>{% endif %}
<p>{{ email or "Nobody is signed in." }}</p>
{% if section %}{{ account_closing(request) }}{% endif %}
</body></html>"""
)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Site:
    """The application, its database, and what a test wants to know of both."""

    def __init__(self, path, **settings):
        self.engine = create_engine(f"sqlite:///{path}")
        # Also of a site that was refused while it was made, or was never served.
        weakref.finalize(self, self.engine.dispose)
        event.listen(self.engine, "connect", lambda raw, _: raw.execute("PRAGMA journal_mode=WAL"))
        self.sessions = sessionmaker(self.engine)
        self.eraser = Eraser(Policy.from_metadata(Base.metadata), secret=b"k" * 32)
        Base.metadata.create_all(self.engine)
        self.eraser.create_tables(self.engine)
        self.log_outs = []
        self.log_out_answer = Response(status_code=204)
        self.checks = 0
        self.closing = AccountClosing(
            self.eraser,
            **{
                "session_factory": self.sessions,
                "identify": self.identify,
                "check_password": self.is_password,
                "clear_cookies": [REMEMBER],
                **settings,
            },
        )
        self.app = self.build()

    def build(self):
        @asynccontextmanager
        async def lifespan(_):
            yield
            self.engine.dispose()

        routes = [
            Route("/", self.start),
            Route("/settings", self.settings),
            Route("/wanted", self.wanted),
            Route("/log_in/{id:int}", self.log_in),
            Route("/users/log_out", self.log_out, methods=["DELETE"]),
        ]
        app = Starlette(routes=routes, lifespan=lifespan)
        self.closing.install(app, "/users/settings/close")
        app.add_middleware(CSRFMiddleware)
        app.add_middleware(SessionMiddleware, secret_key="s" * 32, max_age=None)
        return app

    def asked_under_the_lock(self, blockers):
        """Let *blockers* answer the closing, and leave what the page asks as it is."""
        self.closing._attempts._finder = replace(self.closing._finder, blockers=blockers)

    # What the host of a real site writes.

    def identify(self, connection):
        with self.sessions() as session:
            token = connection.session.get("token", "")
            return session.scalar(select(UserToken.user_id).where(UserToken.token == digest(token)))

    def is_password(self, session: Session, key, password):
        self.checks += 1
        stored = session.scalar(select(User.hashed_password).where(User.id == key))
        return stored is not None and secrets.compare_digest(stored, digest(password))

    async def log_in(self, request):
        token = secrets.token_urlsafe()
        before = await run_in_threadpool(self.identify, request)
        with self.sessions.begin() as session:
            session.add(UserToken(user_id=request.path_params["id"], token=digest(token)))
        if before != request.path_params["id"]:
            request.session.clear()
            rotate(request)
        request.session["token"] = token
        answer = RedirectResponse("/settings", 303)
        answer.set_cookie(REMEMBER, "yes", httponly=True)
        return answer

    async def log_out(self, request):
        self.log_outs.append(request.headers.get("accept"))
        with self.sessions.begin() as session:
            token = request.session.get("token", "")
            session.execute(delete(UserToken).where(UserToken.token == digest(token)))
        request.session.clear()
        request.session["flash"] = {"info": "You are signed out."}
        return self.log_out_answer

    async def start(self, request):
        return await run_in_threadpool(self.page, request, "Start")

    async def settings(self, request):
        if await run_in_threadpool(self.identify, request) is None:
            return RedirectResponse("/", 303)
        return await run_in_threadpool(self.page, request, "Settings", section=True)

    async def wanted(self, request):
        """A page for users. It shows a visitor the home page, and notes where to return to."""
        request.session["user_return_to"] = request.url.path
        return await self.start(request)

    def page(self, request, title, *, section=False):
        key = self.identify(request)
        text = PAGE.render(
            request=request,
            title=title,
            section=section,
            flash=request.session.pop("flash", {}).get("info"),
            email=key and self.user(key).email,
            csrf_token=csrf_token,
            account_closing=self.closing.render,
        )
        return HTMLResponse(text)

    # What a test asks.

    def add(self, email, posts=0):
        with self.sessions.begin() as session:
            user = User(email=email, hashed_password=digest(PASSWORD))
            session.add(user)
            session.flush()
            bodies = (f"{email} wrote {number}" for number in range(posts))
            session.add_all(Post(author_id=user.id, body=body) for body in bodies)
            return user.id

    def user(self, key):
        with self.sessions() as session:
            return session.get_one(User, key)

    def is_open(self, key):
        return self.user(key).deleted_at is None

    def tokens(self, key):
        with self.sessions() as session:
            return session.scalars(select(UserToken.id).where(UserToken.user_id == key)).all()

    def revoke(self, key):
        with self.sessions.begin() as session:
            session.execute(delete(UserToken).where(UserToken.user_id == key))
