"""The garden on FastAPI, in this process."""

import importlib
import json
import logging
import pkgutil
from base64 import b64encode
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import chain

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from argon2 import PasswordHasher
from itsdangerous import TimestampSigner
from sqlalchemy import event, select
from sqlalchemy.exc import NoResultFound
from starlette.routing import Match

import garden.routes
from efface.sqlalchemy import include_closed
from efface.store.efface_tables import metadata as efface_tables
from garden.accounts import token_purge, tokens, users
from garden.accounts.password_hashing import Passwords
from garden.app import create_app
from garden.groups import blockers
from garden.mailer import Mailbox
from garden.models import Base, User
from garden.sample_data import plant
from garden.server_thread import bind, serving
from garden.site_settings import Settings
from tests.support.gardens.browser import PASSWORD, Browser, InProcess
from tests.support.gardens.garden import (
    SECRET,
    Clock,
    Garden,
    Unreachable,
    is_write,
    looking_together,
)
from tests.support.gardens.log import listening


class CountingHasher(PasswordHasher):
    """Argon2, as cheap as it gets, which counts what it does."""

    def __init__(self):
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.calls = 0

    def hash(self, password, **options):
        self.calls += 1
        return super().hash(password, **options)

    def verify(self, hash, password):  # noqa: A002  (the name in argon2)
        self.calls += 1
        return super().verify(hash, password)


def plain(found):
    """Return people as their keys, and everything else as it is."""
    if isinstance(found, list):
        return [plain(each) for each in found]
    return found.id if isinstance(found, User) else found


class FastAPIGarden(Garden):
    """The garden on FastAPI, and what it does itself."""

    NOT_FOUND = NoResultFound
    # Under `examples`, and what uvicorn is told to run.
    FOLDER = "garden"
    PROGRAM = ("--factory", "garden.app:create_app")

    def __init__(self, database_url, loop, *, log_level=logging.WARNING, **changes):
        self.hasher, self.mailbox = CountingHasher(), Mailbox(clock := Clock())
        self._log_level, self._opened, self._held = log_level, ExitStack(), {}
        self._log = self._opened.enter_context(listening(log_level))
        self.app = create_app(
            Settings(database_url, SECRET, **{"dev": True, **changes}),
            mailer=self.mailbox,
            hasher=Passwords(self.hasher),
            clock=clock,
        )
        state, self._loop = self.app.state, loop
        self.sessions, self.closing = state.sessions, state.closing
        transport = InProcess(self.app, loop)
        super().__init__(state.settings, state.engine, clock=clock, transport=transport)
        self.writes = 0
        event.listen(self.engine, "before_cursor_execute", self._count)

    def _count(self, _connection, _cursor, statement, *_):
        self.writes += is_write(statement)

    def dispose(self):
        for session, _ in self._held.values():
            session.close()
        super().dispose()
        self._opened.close()

    @property
    def log(self):
        """What the site has said in its log, as text."""
        return self._log.text

    @contextmanager
    def served(self, port=0):
        """Serve it for real, and give a maker of browsers."""
        bound = bind("127.0.0.1", port)
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with serving(self.app, bound), ExitStack() as windows:
            self._log.hear_server(self._log_level)
            yield lambda: windows.enter_context(Browser(address))

    def finalized(self):
        """Wait until what follows a closing is done."""
        self._loop.call(self.closing.wait_finalized)

    # ---------------------------------------------------------------- people

    def member(self, email="ada@garden.example", *, confirmed=True, **attributes):
        """Return the key of a new member."""
        with self.sessions.begin() as session:
            attributes = {"password": PASSWORD, **attributes}
            user = users.register_user(session, email=email, **attributes)
            user.confirmed_at = self.clock() if confirmed else None
        return user.id

    def token(self, user_id, context, sent_to=None):
        """Return the secret of a new token."""
        with self.sessions.begin() as session:
            user = users.get_user(session, user_id)
            address = sent_to or user.email
            if context == tokens.SESSION:
                return tokens.generate_user_session_token(session, user)
            return tokens.generate_token(session, user, context, address)

    def session_cookie(self, **session):
        """Return a session cookie as the site signs it."""
        data = b64encode(json.dumps(session).encode())
        return TimestampSigner(SECRET).sign(data).decode()

    def close(self, user_id):
        """Close an account, past the web."""
        with self.sessions.begin() as session:
            return users.anonymize_user(session, user_id, actor="a test")

    def leave(self, user_id):
        """Close an account by the rules of the page."""
        with self.sessions.begin() as session:
            eraser = session.info["eraser"]
            return eraser.close_account(session, user_id, actor="a test", blockers=blockers)

    def plan(self, user_id):
        """Return what closing an account would do."""
        with self.sessions() as session:
            return session.info["eraser"].plan(session, user_id)

    def ask(self, question, /, *args, **fields):
        """Call a function of the users context; people come back as their keys."""
        with self.sessions.begin() as session:
            return plain(getattr(users, question)(session, *args, **fields))

    def members(self, *, closed=False):
        """Return the keys that a query of the site finds, also of closed accounts where asked."""
        with self.sessions() as session, include_closed() if closed else nullcontext():
            return sorted(session.scalars(select(User.id)))

    def looking_together(self, number):
        """Let so many look for a member before any of them hears what was found."""
        return looking_together(users, "get_user_by_email", number)

    def registered(self, **fields):
        """Return the key of a new member, what the object of it holds, and how it shows itself."""
        with self.sessions.begin() as session:
            user = users.register_user(session, **fields)
            return user.id, str(vars(user)), repr(user)

    # ---------------------------------------------------------------- writing what was read before

    def hold(self, user_id):
        """Read a member as a request does that is still under way."""
        session = self.sessions()
        self._held[user_id] = session, users.get_user(session, user_id)

    def change_held(self, user_id, **values):
        """Write into the account that was read; return whether anything was written."""
        session, user = self._held[user_id]
        changed = users._update(session, user, **values)
        session.commit()
        return changed

    def token_for_held(self, user_id, context, sent_to):
        """Make a token for the account that was read; return its secret, where there is one."""
        session, user = self._held[user_id]
        secret = tokens.generate_token(session, user, context, sent_to)
        session.commit()
        return secret

    # ---------------------------------------------------------------- the site as a whole

    def plant(self):
        """Let the community of the demo move in."""
        with self.sessions.begin() as session:
            plant(session, now=self.clock())

    def purge(self):
        """Delete the expired tokens."""
        token_purge.purge(self.sessions)

    def lose_mail_server(self):
        """Let every mail fail from now on, with an error that quotes it."""
        self.app.state.mailer = Unreachable(self.clock)

    def problems(self):
        """Return what is undecided or impossible."""
        return self.app.state.sessions.kw["info"]["eraser"].check()

    def unmigrated(self):
        """Return what the models have and the migrations have not made, or the other way round."""
        with self.engine.connect() as connection:
            context = MigrationContext.configure(connection)
            return compare_metadata(context, [Base.metadata, efface_tables])

    def paths(self):
        """Return the paths that can be opened, with names for what varies: `/groups/{group_id}`."""
        return {path_of(route) for route in self._routes()}

    def path_of(self, path):
        """Return the paths among those that a path is one of."""
        scope = {"type": "http", "method": "GET", "path": path}
        return {path_of(route) for route in self._routes() if route.matches(scope)[0] is Match.FULL}

    def _routes(self):
        names = [found.name for found in pkgutil.iter_modules(garden.routes.__path__)]
        parts = [importlib.import_module(f"garden.routes.{name}").router for name in names]
        everything = chain(self.app.routes, *(part.routes for part in parts))
        return [each for each in everything if "GET" in (getattr(each, "methods", None) or ())]


def path_of(route):
    """Return the path of a route; some answer with a slash at the end too."""
    return route.path.rstrip("/") or "/"
