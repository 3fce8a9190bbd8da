"""Let users delete their accounts: the section, the form, the WebSocket event, the goodbye page."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Collection, Hashable
from contextlib import asynccontextmanager
from typing import Any

from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Route, WebSocketRoute

from efface.asgi import csrf
from efface.asgi.closing_attempt import Attempts
from efface.asgi.closing_routes import ClosingRoutes
from efface.asgi.email_after_commit import PrepareEmail, require_plain_function
from efface.asgi.live import Identify, Live, LiveEvent
from efface.asgi.negotiated_language import ChooseLanguage
from efface.asgi.page_facts import AccountFacts, Blockers, FactFinder
from efface.asgi.page_renderer import Pages, Paths, Templates, asset
from efface.asgi.password_check import CheckPassword, HasPassword, HasRecentLogin, Proofs
from efface.eraser.eraser import Eraser
from efface.live.anonymize_event import EVENT, conclude
from efface.live.broker import Broker
from efface.page.consequences import Labels
from efface.page.local_paths import require_local_path
from efface.safe_logging import reporter

report = reporter("efface.asgi")

_SECONDS_TO_FINALIZE = 10.0


class AccountClosing:
    """Add the button *Delete account* and everything behind it to a Starlette or FastAPI site.

    `install` adds the routes, and `render` returns the section for your settings page. When a user
    confirms, Efface checks the password, asks for blockers, closes the account, commits, logs out
    all devices, sends the confirmation email, and finalizes.

    Args:
        eraser: Closes the accounts.
        session_factory: Your sessionmaker or async_sessionmaker.
        identify: Takes a connection and returns the primary key of the logged-in user, or None.
            Sync or async. It must read the session token from the database each time.
        check_password: Takes a session, the primary key and the current password, and returns True
            if the password is correct. A plain function, called in a worker thread or through
            `run_sync`. Count wrong attempts in it, and raise `TooManyAttemptsError` at the limit.
        has_password: Takes a session and the primary key, and returns False for a user without a
            password, who then needs a recent login. By default all users have a password.
        has_recent_login: Takes a connection and returns True if the user logged in a short while
            ago. Sync or async. Asked again when the form is sent.
        blockers: Takes a session and the primary key, and returns a `Blocker` for each thing that
            the user has to do first. Asked for the page, and again under the lock on the user's
            row. An `Eraser` without ``blockers`` gets this function, so that batches and your
            own calls in this process ask it as well; commands need it in the `Eraser`.
        confirmation_email: Takes a session and the primary key, and returns a function that sends
            the email, or None. Called under the lock, before anything is erased, so the function
            can remember the address. After the commit, Efface calls the function with a
            `ConfirmationEmail` and drops it. An email that fails doesn't stop the closure.
        recipients: Who else had the user's data and is notified, by names that users know.
        login_path: Your login page. The query parameter ``return_to`` has the path to return to.
        logout_path: Your route that answers DELETE and clears cookies.
        redirect_path: The public page to which users go after they delete their account. With
            None, they go to the goodbye page, and their other devices go to ``"/"``.
        clear_cookies: Cookies that keep a browser logged in, except the session's.
        trusted_origins: As for `efface.asgi.csrf.CSRFMiddleware`.
        csrf_exempt: As for `efface.asgi.csrf.CSRFMiddleware`, *exempt*.
        labels: Names of tables, columns and reasons that users know, such as
            ``{"users_tokens": "sessions"}``, or a function that returns them for ``"en"`` and
            ``"de"``.
        language: Takes a connection and returns such a code, or None to use the language that the
            browser prefers.
        templates: A folder or Jinja2 loader with templates that replace ours, or blocks of them.
        broker: Reaches the open pages on other workers, as for `Live`.

    Attributes:
        live: The WebSockets of open pages, for your own events.

    Raises:
        TypeError: A function that takes a session is asynchronous.
        ValueError: A path is not on this site, or *has_password* is given without
            *has_recent_login*.

    Example:
        With your own ``app``, ``eraser`` and ``Session``, a sessionmaker::

            def identify(connection):
                with Session() as session:
                    return user_id_of(session, connection.session.get("token"))

            def check_password(session, pk, password):
                return session.get(User, pk).has_password(password)

            closing = AccountClosing(
                eraser,
                session_factory=Session,
                identify=identify,
                check_password=check_password,
                login_path="/login",
                logout_path="/logout",
            )
            closing.install(app, "/settings/delete-account")

        Your settings page then has ``{{ closing.render(request) }}``.
    """

    def __init__(
        self,
        eraser: Eraser,
        *,
        session_factory: Any,
        identify: Identify,
        check_password: CheckPassword,
        has_password: HasPassword | None = None,
        has_recent_login: HasRecentLogin | None = None,
        blockers: Blockers | None = None,
        confirmation_email: PrepareEmail | None = None,
        recipients: Collection[str] = (),
        login_path: str = "/users/log_in",
        logout_path: str = "/users/log_out",
        redirect_path: str | None = "/",
        clear_cookies: Collection[str] = (),
        trusted_origins: Collection[str] = (),
        csrf_exempt: Callable[[HTTPConnection], bool] = csrf.exempt_none,
        labels: Labels | None = None,
        language: ChooseLanguage | None = None,
        templates: Templates | None = None,
        broker: Broker | None = None,
    ) -> None:
        self._identify = identify
        self._landing = redirect_path
        self._login_path = require_local_path("login_path", login_path)
        self._logout_path = require_local_path("logout_path", logout_path)
        public = "/" if redirect_path is None else redirect_path
        self._public_path = require_local_path("redirect_path", public)
        proofs = Proofs(check_password, has_password, has_recent_login)
        if eraser.blockers is None:
            eraser.blockers, blockers = blockers, None
        self._finder = FactFinder(eraser, session_factory, proofs, blockers)
        self._templates = templates
        self._installed: ClosingRoutes | None = None
        self._settings: dict[str, Any] = {
            "clear_cookies": tuple(clear_cookies),
            "trusted": tuple(trusted_origins),
            "csrf_exempt": csrf_exempt,
            "labels": labels,
            "language": language,
            "recipients": tuple(recipients),
            "confirmation_email": require_plain_function(confirmation_email),
        }
        self.live = Live(
            identify, redirect_path=public, trusted_origins=trusted_origins, broker=broker
        )
        self.live.on(EVENT)(self._on_anonymize)
        self._attempts = Attempts(self._finder, self.live)

    def install(self, app: Starlette, path: str, *, live_path: str = "/live") -> None:
        """Add the routes of the page and the WebSocket to *app*.

        The page is at *path*. The script, the style sheet and the goodbye page (``/done``) are
        below it. All routes also work with a slash at the end, because a redirect would lose the
        form. The lifespan of *app* then also runs `live` and waits for finalizing.

        Args:
            app: Your application.
            path: Where the page is, such as ``"/settings/delete-account"``.
            live_path: Where the WebSocket is.

        Raises:
            RuntimeError: It is already installed.
            ValueError: A path is not on this site, or is its root.
        """
        if self._installed is not None:
            raise RuntimeError(
                "This AccountClosing is installed already. Make another one for another app."
            )
        path = require_local_path("path", path).rstrip("/")
        live_path = require_local_path("live_path", live_path).rstrip("/")
        if not path or not live_path:
            raise ValueError(
                "The page and the WebSocket cannot be at the root of the site. "
                'Use paths such as "/settings/delete-account" and "/live".'
            )
        paths = Paths(path, live_path, self._login_path, self._logout_path, self._public_path)
        routes = self._installed = ClosingRoutes(
            finder=self._finder,
            attempts=self._attempts,
            live=self.live,
            pages=Pages(paths, self._templates),
            landing=self._landing,
            **self._settings,
        )
        for end in ("", "/"):
            app.router.routes.extend(
                [
                    Route(f"{path}{end}", routes.get, methods=["GET"]),
                    Route(f"{path}{end}", routes.post, methods=["POST"]),
                    Route(f"{path}/done{end}", routes.done, methods=["GET"]),
                    Route(f"{path}/efface.js{end}", asset("efface.js"), methods=["GET"]),
                    Route(f"{path}/efface.css{end}", asset("efface.css"), methods=["GET"]),
                    WebSocketRoute(f"{live_path}{end}", self.live.endpoint),
                ]
            )
        app.router.lifespan_context = self._around_lifespan(app.router.lifespan_context)

    def render(self, connection: HTTPConnection, subject: Hashable = None) -> Markup:
        """Return the section for your settings page, or nothing if no user is logged in.

        It lists what will be deleted and what is kept. If *identify* or *session_factory* is
        async, call ``await closing.prepare(request)`` in the route first. Without it, the section
        links to the page with these lists. It also stores the CSRF secret in the session.

        Args:
            connection: The request that you are answering.
            subject: The primary key of the logged-in user, if your route knows it already. This
                saves a query. Efface identifies the user again when the form is sent.

        Raises:
            RuntimeError: `install` was not called, or the request has no session.
        """
        routes = self._ready
        language = routes.language_of(connection)
        facts: AccountFacts | None = getattr(connection.state, "efface_facts", None)
        if facts is None and not self._needs_a_loop():
            try:
                subject = self._identify(connection) if subject is None else subject
                if subject is None:
                    return Markup()
                facts = self._finder.here(connection, subject)
            except Exception as error:  # noqa: BLE001  (an answer for the user, never a traceback)
                # A settings page must not fail because of its last section.
                report("The facts for the closing section failed", error)
        shown = (
            routes.without_facts()
            if facts is None
            else routes.describe(facts, language).for_template()
        )
        return routes.pages.section(connection, language, message=None, **shown)

    async def prepare(self, connection: HTTPConnection) -> None:
        """Load what `render` needs, without blocking the event loop.

        Await it in the route of your settings page if *identify* or *session_factory* is async.
        """
        subject = await self.live.who(connection)
        if subject is not None:
            connection.state.efface_facts = await self._ready.facts_of(connection, subject)

    async def wait_finalized(self) -> None:
        """Wait until this process has finalized its closures and sent their emails.

        It also returns if finalizing or an email has failed, which the log says.
        """
        await self._attempts.wait_finalized()

    async def _on_anonymize(self, event: LiveEvent) -> None:
        socket, routes = event.websocket, self._ready
        answer = await self._attempts.close(
            socket, event.payload, channel="socket", email=routes.email(socket), own=event
        )
        message = routes.language_of(socket).say(answer.message)
        conclude(event, answer, message, to=routes.goodbye_path(answer))

    def _needs_a_loop(self) -> bool:
        return self._finder.needs_a_loop or inspect.iscoroutinefunction(self._identify)

    def _around_lifespan(self, lifespan: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @asynccontextmanager
        async def around(app: Any) -> AsyncIterator[Any]:
            # Inside the application's own lifespan, which may dispose of its engine at the end.
            async with lifespan(app) as state, self.live.running():
                yield state
                await self._attempts.finalize_at_shutdown(_SECONDS_TO_FINALIZE)

        return around

    @property
    def _ready(self) -> ClosingRoutes:
        if self._installed is None:
            raise RuntimeError('Call closing.install(app, "/users/settings/close") first.')
        return self._installed
