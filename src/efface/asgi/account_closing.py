"""HOST · The closing of one's own account: section, form, socket event, farewell."""

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
from efface.asgi.closing_routes import Answers
from efface.asgi.email_after_commit import PrepareEmail, require_plain_function
from efface.asgi.live import Identify, Live, LiveEvent
from efface.asgi.negotiated_language import Choose
from efface.asgi.page_facts import Blockers, FactFinder, Facts
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
    """Everything a site needs for the button *Delete Account*.

    Args:
        eraser: Carries out the policy.
        database: Your sessionmaker or async_sessionmaker.
        identify: Takes a connection and returns the signed-in person's key or None;
            sync or async. It must read the session's token from the database each time.
        check_password: Takes a session, the key and the current password, and returns
            True if it is right. A plain function, called in a worker thread or through
            `run_sync`. Count wrong tries in it, and raise `TooManyAttemptsError` at the limit.
        has_password: Takes a session and the key, and returns False for an account without
            a password, which then needs a recent sign-in. By default everybody has one.
        has_recent_login: Takes a connection and returns True if the person has proven who
            they are a short while ago; sync or async. Asked anew when the form is sent.
        blockers: Takes a session and the key, and returns each `Blocker` that has to be
            settled first. Asked for the page, and again under the lock of the closing: what
            it relies on has to be locked by it (see `Eraser.close_account`, ``veto``).
        farewell: Takes a session and the key, and returns a function that sends the mail of
            farewell, or None. It is asked under the lock, before anything is erased: what it
            returns remembers the address, is called with a `ConfirmationEmail` once the closing is
            committed, and is then forgotten. A mail that fails stops no closing.
        recipients: Who else had the person's data and is told, by names for people.
        login_path: Your page to log in. ``return_to`` in its query says where to come back.
        logout_path: Your route that answers DELETE and clears cookies.
        redirect_path: Public page where everybody lands after closing. None: who has closed
            the account lands on our farewell page, and the other devices on ``"/"``.
        clear_cookies: Cookies besides the session's that sign a browser in.
        trusted_origins: As for `efface.asgi.csrf.CSRFMiddleware`.
        csrf_exempt: As for `efface.asgi.csrf.CSRFMiddleware`.
        labels: Names of tables, columns and reasons for people: ``{"users_tokens":
            "sessions"}``; or a function that returns them for ``"en"``, ``"de"``.
        language: Takes a connection and returns such a code, or None to go by the
            browser's wishes, as without it.
        broker: Reaches the open pages on other workers, as for `Live`.
        templates: A folder or Jinja2 loader with pages that replace ours, or blocks of them.

    Attributes:
        live: The live sockets, for events of your own.
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
        csrf_exempt: Callable[[HTTPConnection], bool] = csrf.nobody,
        labels: Labels | None = None,
        language: Choose | None = None,
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
        self._finder = FactFinder(eraser, session_factory, proofs, blockers)
        self._templates = templates
        self._installed: Answers | None = None
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
        """Add the routes: the form at *path*, script, style and farewell below it, the socket.

        Each answers with a slash at its end too: a redirect would lose what a form has sent.

        Raises:
            RuntimeError: It has been installed already.
            ValueError: A path leads off this site, or is the root of it.
        """
        if self._installed is not None:
            raise RuntimeError("This AccountClosing is installed already.")
        path = require_local_path("path", path).rstrip("/")
        live_path = require_local_path("live_path", live_path).rstrip("/")
        if not path or not live_path:
            raise ValueError("The start page of a site is neither its closing page nor its socket.")
        paths = Paths(path, live_path, self._login_path, self._logout_path, self._public_path)
        answers = self._installed = Answers(
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
                    Route(f"{path}{end}", answers.get, methods=["GET"]),
                    Route(f"{path}{end}", answers.post, methods=["POST"]),
                    Route(f"{path}/done{end}", answers.done, methods=["GET"]),
                    Route(f"{path}/efface.js{end}", asset("efface.js"), methods=["GET"]),
                    Route(f"{path}/efface.css{end}", asset("efface.css"), methods=["GET"]),
                    WebSocketRoute(f"{live_path}{end}", self.live.endpoint),
                ]
            )
        app.router.lifespan_context = self._beside_the_sites(app.router.lifespan_context)

    def render(self, connection: HTTPConnection, subject: Hashable = None) -> Markup:
        """Return the section for your settings page; nothing where nobody is signed in.

        With a sync `identify` and a sync `session_factory` it says what goes and what stays.
        Otherwise call `await closing.prepare(request)` in the route first; without it
        the section links to the page that says so.

        Args:
            connection: The request that is being answered.
            subject: The key of whoever is signed in, where your route has just asked; it
                spares asking again. The form itself is never taken at its word.
        """
        answers = self._ready
        language = answers.language_of(connection)
        facts: Facts | None = getattr(connection.state, "efface_facts", None)
        if facts is None and not self._needs_a_loop():
            try:
                subject = self._identify(connection) if subject is None else subject
                if subject is None:
                    return Markup()
                facts = self._finder.here(connection, subject)
            except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
                # A settings page must not fall with its last section.
                report("The facts for the closing section failed", error)
        shown = answers.unknown() if facts is None else answers.said(facts, language).for_template()
        return answers.pages.section(connection, language, message=None, **shown)

    async def prepare(self, connection: HTTPConnection) -> None:
        """Work out what the section will say, without blocking the event loop."""
        subject = await self.live.who(connection)
        if subject is not None:
            connection.state.efface_facts = await self._ready.facts_of(connection, subject)

    async def wait_finalized(self) -> None:
        """Wait until what every closing in this process has begun is done or has failed."""
        await self._attempts.wait_finalized()

    async def _on_anonymize(self, event: LiveEvent) -> None:
        socket, answers = event.websocket, self._ready
        answer = await self._attempts.close(
            socket, event.payload, channel="socket", email=answers.email(socket), own=event
        )
        message = answers.language_of(socket).say(answer.message)
        conclude(event, answer, message, to=answers.goodbye_path(answer))

    def _needs_a_loop(self) -> bool:
        return self._finder.needs_a_loop or inspect.iscoroutinefunction(self._identify)

    def _beside_the_sites(self, lifespan: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @asynccontextmanager
        async def beside(app: Any) -> AsyncIterator[Any]:
            # Inside the host's own: its engine must still be there.
            async with lifespan(app) as state, self.live.running():
                yield state
                await self._attempts.finalize_at_shutdown(_SECONDS_TO_FINALIZE)

        return beside

    @property
    def _ready(self) -> Answers:
        if self._installed is None:
            raise RuntimeError('Call closing.install(app, "/users/settings/close") first.')
        return self._installed
