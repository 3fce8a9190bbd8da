"""HOST · The closing of one's own account: section, form, socket event, farewell."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute

from efface.asgi import csrf, forms
from efface.asgi.attempt import FAILED, Attempts, Outcome, Reauthenticate
from efface.asgi.broker import Broker
from efface.asgi.consequences import Consequences, consequences_of
from efface.asgi.live import Identify, Live, LiveEvent
from efface.asgi.pages import Pages, asset
from efface.asgi.paths import require_local_path
from efface.asgi.quiet import report
from efface.asgi.transaction import in_transaction, in_transaction_here, is_async
from efface.eraser import Eraser

_SECONDS_TO_SETTLE = 10.0


class AccountClosing:
    """Everything a site needs for the button *Delete Account*.

    Args:
        eraser: Carries out the policy.
        database: Your sessionmaker or async_sessionmaker.
        identify: Takes a connection and returns the signed-in person's key or None;
            sync or async. It must read the session's token from the database each time.
        reauthenticate: Takes a session, the key and the current password, and returns
            True if it is right. A plain function, called in a worker thread or through
            `run_sync`. Count and limit wrong tries in it.
        log_out_path: Your route that answers DELETE and clears cookies.
        redirect_path: Public page where everybody lands after closing.
        clear_cookies: Cookies besides the session's that sign a browser in.
        trusted_origins: As for `efface.asgi.csrf.CSRFMiddleware`.
        words: Names of tables and columns for people: ``{"users_tokens": "sessions"}``.
        broker: Reaches the open pages on other workers, as for `Live`.

    Attributes:
        live: The live sockets, for events of your own.
    """

    def __init__(
        self,
        eraser: Eraser,
        *,
        database: Any,
        identify: Identify,
        reauthenticate: Reauthenticate,
        log_out_path: str = "/users/log_out",
        redirect_path: str = "/",
        clear_cookies: Collection[str] = (),
        trusted_origins: Collection[str] = (),
        words: Mapping[str, str] | None = None,
        broker: Broker | None = None,
    ) -> None:
        self._eraser = eraser
        self._database = database
        self._identify = identify
        self._log_out_path = require_local_path("log_out_path", log_out_path)
        self._redirect_path = require_local_path("redirect_path", redirect_path)
        self._clear_cookies = tuple(clear_cookies)
        self._trusted = tuple(trusted_origins)
        self._words = dict(words or {})
        self._installed: Pages | None = None
        self.live = Live(
            identify,
            redirect_path=redirect_path,
            trusted_origins=trusted_origins,
            broker=broker,
        )
        self.live.on("anonymize")(self._on_anonymize)
        self._attempts = Attempts(
            eraser, database=database, live=self.live, reauthenticate=reauthenticate
        )

    def install(self, app: Starlette, path: str, *, live_path: str = "/live") -> None:
        """Add the routes: the form at *path*, its script and style below it, the socket.

        Raises:
            RuntimeError: It has been installed already.
        """
        if self._installed is not None:
            raise RuntimeError("This AccountClosing is installed already.")
        require_local_path("path", path)
        require_local_path("live_path", live_path)
        self._installed = Pages(path, live_path, self._log_out_path, self._redirect_path)
        app.router.routes.extend(
            [
                Route(path, self._get, methods=["GET"], name="efface_closing"),
                Route(path, self._post, methods=["POST"], name="efface_close"),
                Route(f"{path}/efface.js", asset("efface.js"), methods=["GET"]),
                Route(f"{path}/efface.css", asset("efface.css"), methods=["GET"]),
                WebSocketRoute(live_path, self.live.endpoint, name="efface_live"),
            ]
        )
        app.router.lifespan_context = self._beside_the_sites(app.router.lifespan_context)

    def section(self, connection: HTTPConnection) -> Markup:
        """Return the section for your settings page; nothing where nobody is signed in.

        With a sync `identify` and a sync `database` it says what goes and what stays.
        Otherwise call `await closing.prepare(request)` in the route first; without it
        the section links to the page that says so.
        """
        prepared: Consequences | None = getattr(connection.state, "efface_consequences", None)
        if prepared is not None or self._needs_a_loop():
            return self._pages.section(connection, prepared)
        try:
            subject = self._identify(connection)
            if subject is None:
                return Markup()
            plan = in_transaction_here(
                self._database, lambda session: self._eraser.plan(session, subject)
            )
        except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
            # A settings page must not fall with its last section.
            report("The plan for the closing section failed", error)
            return self._pages.section(connection, None)
        return self._pages.section(connection, consequences_of(plan, self._words))

    async def prepare(self, connection: HTTPConnection) -> None:
        """Work out what the section will say, without blocking the event loop."""
        connection.state.efface_consequences = await self._consequences(connection)

    async def settled(self) -> None:
        """Wait until every closing begun in this process has been settled or has failed."""
        await self._attempts.settled()

    async def _get(self, request: Request) -> Response:
        try:
            subject = await self.live.who(request)
        except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
            report("The closing page failed", error)
            return self._pages.page(request, 503, FAILED.message)
        if subject is None:
            return RedirectResponse(self._redirect_path, status_code=303)
        return self._pages.closing_page(request, 200, await self._consequences(request))

    async def _post(self, request: Request) -> Response:
        try:
            body = await forms.read_body(request.receive)
        except forms.FormTooLargeError:
            return csrf.refusal(request, 413, csrf.TOO_LARGE)
        except forms.DisconnectedError:
            return Response(status_code=400)
        fields = forms.read_fields(request.headers.get("content-type", ""), body)
        # Asked here too: somebody may have forgotten the middleware.
        if not csrf.is_genuine(request, fields, self._trusted):
            return csrf.refusal(request)
        answer = await self._attempts.close(request, fields)
        if answer.outcome is Outcome.FAILED:
            return self._pages.page(request, 503, answer.message)
        if answer.outcome is not Outcome.REFUSED:
            return self._farewell(request, answer.message)
        known = await self._consequences(request)
        return self._pages.closing_page(request, 422, known, answer.message)

    async def _on_anonymize(self, event: LiveEvent) -> None:
        answer = await self._attempts.close(event.websocket, event.payload, event.websocket)
        if answer.outcome is Outcome.FAILED:
            event.fail(answer.message)
        elif answer.outcome is Outcome.CLOSED:
            event.log_out()
        else:
            event.refuse(answer.message)
            event.logs_out = answer.outcome is Outcome.SIGNED_OUT

    def _farewell(self, request: Request, message: str) -> Response:
        request.session.clear()
        request.session["flash"] = {"info": message}
        headers = {"Cache-Control": "no-store"}
        response = RedirectResponse(self._redirect_path, status_code=303, headers=headers)
        secure = request.url.scheme == "https"
        for name in self._clear_cookies:
            response.delete_cookie(name, secure=secure, httponly=True, samesite="lax")
        return response

    async def _consequences(self, connection: HTTPConnection) -> Consequences | None:
        try:
            subject = await self.live.who(connection)
            if subject is None:
                return None
            plan = await in_transaction(
                self._database, lambda session: self._eraser.plan(session, subject)
            )
        except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
            report("The plan for the closing page failed", error)
            return None
        return consequences_of(plan, self._words)

    def _needs_a_loop(self) -> bool:
        return is_async(self._database) or inspect.iscoroutinefunction(self._identify)

    def _beside_the_sites(self, lifespan: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @asynccontextmanager
        async def beside(app: Any) -> AsyncIterator[Any]:
            # Inside the host's own: its engine must still be there.
            async with lifespan(app) as state, self.live.running():
                yield state
                await self._attempts.settle_at_shutdown(_SECONDS_TO_SETTLE)

        return beside

    @property
    def _pages(self) -> Pages:
        if self._installed is None:
            raise RuntimeError('Call closing.install(app, "/users/settings/close") first.')
        return self._installed
