"""What the garden on Django does when a test asks for it; in a process of its own."""

from contextlib import ExitStack
from functools import cache
from weakref import WeakSet

import django
from django.conf import settings

settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
django.setup()

# ruff: noqa: E402  (models are imported when Django is set up)
from django.apps import apps
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.db import connections
from django.db.backends.signals import connection_created
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.urls import Resolver404, get_resolver, resolve
from django.urls.resolvers import URLResolver
from sqlalchemy import make_url

from efface.django import close_account, plan
from efface.django.policy.erasers import find_problems
from garden.accounts.attempt_limits import AttemptLimits
from garden.mailer import Mailbox
from garden.server_thread import bind, serving
from garden_django.accounts import tokens, users
from garden_django.app_state import now, state
from garden_django.asgi import application
from garden_django.groups import blockers
from garden_django.models import User
from garden_django.sample_data import plant
from tests.support.gardens.browser import PASSWORD
from tests.support.gardens.garden import Clock, Unreachable, is_write, looking_together
from tests.support.gardens.log import listening


class CountingHasher(Argon2PasswordHasher):
    """Argon2, as cheap as it gets, which counts what it does."""

    time_cost, memory_cost, parallelism = 1, 8, 1
    calls = 0

    def encode(self, password, salt):
        CountingHasher.calls += 1
        return super().encode(password, salt)

    def verify(self, password, encoded):
        CountingHasher.calls += 1
        return super().verify(password, encoded)


def plain(found):
    """Return people as their keys, and everything else as it is."""
    if isinstance(found, list):
        return [plain(each) for each in found]
    return found.pk if isinstance(found, User) else found


class Site:
    """One garden after the other, each over a database of its own."""

    def __init__(self):
        self._connections, self._opened, self._server = WeakSet(), ExitStack(), ExitStack()
        self._held, self._looking, self._written = {}, ExitStack(), 0
        connection_created.connect(self._note)

    def answer(self, name, /, *args, **fields):
        """Call one of the methods below, in a thread that keeps no connection."""
        try:
            return getattr(self, name)(*args, **fields)
        finally:
            connections.close_all()

    def open(self, site, log_level):
        """Be a garden with the settings *site*; return the port at which it is served."""
        self.close()
        # Every connection is made from this very dictionary.
        connections.settings["default"]["NAME"] = make_url(site.database_url).database
        state.settings = site
        state.clock, state.mailer = Clock(), Mailbox(now)
        state.attempt_limits = AttemptLimits(state.settings, now)
        self._held.clear()
        self.log_level, self.log = log_level, self._opened.enter_context(listening(log_level))
        CountingHasher.calls = 0
        return self.serve(0)

    def close(self):
        """Stop serving, wait for what is under way, and let go of the database."""
        self._server.close()
        state.wait_until_done()
        self._opened.close()
        for connection in list(self._connections):
            connection.inc_thread_sharing()
            connection.close()

    def serve(self, port):
        """Serve from now on at another port, or at a free one; whoever was connected is not."""
        self._server.close()
        bound = bind("127.0.0.1", port)
        self._server.enter_context(serving(application, bound))
        self.log.hear_server(self.log_level)
        return bound.getsockname()[1]

    def _note(self, connection, **_):
        self._connections.add(connection)
        connection.execute_wrappers.append(self._count)

    def _count(self, execute, statement, *rest):
        self._written += is_write(statement)
        return execute(statement, *rest)

    # ---------------------------------------------------------------- what a test sets and reads

    def set_time(self, moment):
        state.clock.now = moment

    def calls(self):
        return CountingHasher.calls

    def set_calls(self, calls):
        CountingHasher.calls = calls

    def written(self):
        return self._written

    def logged(self):
        state.wait_until_done()
        return self.log.text

    def mails(self):
        state.wait_until_done()
        return state.mailer.all()

    def wait_for_mail(self, address, mails):
        return state.mailer.wait_for(address, mails=mails)

    def lose_mail_server(self):
        state.mailer = Unreachable(now)

    def finalized(self):
        state.wait_until_done()

    # ---------------------------------------------------------------- people

    def member(self, email="ada@garden.example", *, confirmed=True, **attributes):
        user = users.register_user(email=email, **{"password": PASSWORD, **attributes})
        User.objects.filter(pk=user.pk).update(confirmed_at=now() if confirmed else None)
        return user.pk

    def token(self, user_id, context, sent_to=None):
        user = users.get_user(user_id)
        if context == tokens.SESSION:
            return tokens.generate_user_session_token(user)
        return tokens.generate_token(user, context, sent_to or user.email)

    def session_cookie(self, **session):
        store = SessionStore()
        store.update(session)
        store.save()
        return store.session_key

    def close_account(self, user_id):
        return users.anonymize_user(user_id, actor="a test")

    def leave(self, user_id):
        return close_account(user_id, actor="a test", blockers=blockers)

    def plan(self, user_id):
        return plan(user_id)

    def ask(self, question, /, *args, **fields):
        return plain(getattr(users, question)(*args, **fields))

    def members(self, *, closed=False):
        found = User.objects.include_closed() if closed else User.objects.all()
        return sorted(found.values_list("pk", flat=True))

    def look_together(self, number):
        self._looking.enter_context(looking_together(users, "get_user_by_email", number))

    def look_alone(self):
        self._looking.close()

    def registered(self, **fields):
        user = users.register_user(**fields)
        return user.pk, str(vars(user)), repr(user)

    def hold(self, user_id):
        self._held[user_id] = users.get_user(user_id)

    def change_held(self, user_id, **values):
        fields = {field.column: field.attname for field in User._meta.concrete_fields}
        named = {fields[column]: value for column, value in values.items()}
        return users._update(self._held[user_id], **named)

    def token_for_held(self, user_id, context, sent_to):
        return tokens.generate_token(self._held[user_id], context, sent_to)

    # ---------------------------------------------------------------- the site as a whole

    def plant(self):
        plant(now=now())

    def purge(self):
        tokens.delete_expired_tokens()

    def problems(self):
        return [str(each) for each in find_problems("default")]

    def unmigrated(self):
        made = MigrationLoader(connections["default"])
        states = made.project_state(), ProjectState.from_apps(apps)
        changes = MigrationAutodetector(*states).changes(graph=made.graph)
        return [str(each) for migrations in changes.values() for each in migrations]

    def patterns(self):
        """Return the paths of all views, as FastAPI would write them; files are no views."""
        return set(paths_under(get_resolver(), "")) - {"/static/{path}"}

    def path_of(self, path):
        try:
            return {as_fastapi_writes(resolve(path).route)}
        except Resolver404:
            return set()


def paths_under(resolver, before):
    for pattern in resolver.url_patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from paths_under(pattern, path)
        else:
            yield as_fastapi_writes(path)


@cache
def as_fastapi_writes(route):
    """Return `/groups/{group_id}` for `groups/<int:group_id>`, and as much for Efface's own."""
    path = route.replace("^", "").replace("(?:/)?", "/").replace("\\.", ".").removesuffix("$")
    pieces = [piece.rpartition(":")[2] for piece in path.replace(">", "}").split("<")]
    return ("/" + "{".join(pieces)).removesuffix("/?").rstrip("/") or "/"
