"""Answer the routes of the page, with pages for users and JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from efface.asgi import csrf
from efface.asgi import form_reader as forms
from efface.asgi.closing_attempt import Attempts
from efface.asgi.email_after_commit import PrepareEmail, email_of
from efface.asgi.live import Live
from efface.asgi.negotiated_language import ChooseLanguage, choose_language
from efface.asgi.page_facts import AccountFacts, FactFinder
from efface.asgi.page_renderer import Pages
from efface.asgi.session_transaction import in_transaction
from efface.evidence.receipt import Receipt
from efface.page.attempt_outcome import (
    OUT_OF_DATE,
    SENTENCES,
    STATUS,
    UNKNOWN,
    UNREADABLE,
    AttemptResult,
    Outcome,
)
from efface.page.blockers import Blocker
from efface.page.confirmation_email import AttemptEmail, ConfirmationEmail
from efface.page.consequences import Consequences, Labels, PolicyTexts, labels_in, plain, plain_line
from efface.page.csrf_refusal import TOO_LARGE
from efface.page.ended_sessions import FORM_SHOWN, has_data_of_the_site
from efface.page.identity_proof import Proof
from efface.page.security_headers import HEADERS
from efface.page.translations import Language
from efface.safe_logging import reporter

report = reporter("efface.asgi")

_LONGEST = 32  # of a reference


@dataclass(frozen=True)
class AccountDescription:
    """The facts about one user, in the user's language."""

    facts: AccountFacts
    consequences: Consequences
    blockers: list[dict[str, str]]

    def for_template(self) -> dict[str, Any]:
        """Return the variables of the section's template."""
        return {
            "proof": self.facts.proof.value,
            "blockers": self.blockers,
            "consequences": self.consequences,
        }


@dataclass(frozen=True, kw_only=True)
class ClosingRoutes:
    """Answer the requests to one installation.

    *landing* is the application's own page after a closure, or None for the goodbye page.
    """

    finder: FactFinder
    attempts: Attempts
    live: Live
    pages: Pages
    landing: str | None
    clear_cookies: Collection[str]
    trusted: Collection[str]
    csrf_exempt: Callable[[HTTPConnection], bool]
    labels: Labels | None
    language: ChooseLanguage | None
    recipients: Collection[str]
    confirmation_email: PrepareEmail | None

    # ------------------------------------------------------------ facts

    def language_of(self, connection: HTTPConnection) -> Language:
        """Return the language in which *connection* is answered."""
        return choose_language(connection, self.language)

    def describe(self, facts: AccountFacts, language: Language) -> AccountDescription:
        """Return the facts in *language*."""
        consequences = self._policy_texts(language).consequences(facts.steps)
        return AccountDescription(facts, consequences, _translated(facts.blockers, language))

    async def facts_of(self, connection: HTTPConnection, subject: Hashable) -> AccountFacts | None:
        """Return the facts about *subject*, or None if loading them failed."""
        try:
            return await self.finder.of(connection, subject)
        except Exception as error:  # noqa: BLE001  (an answer for the user, never a traceback)
            report("The facts for the closing page failed", error)
            return None

    def without_facts(self) -> dict[str, Any]:
        """Return the variables of the section's template if the facts are not known."""
        proof = Proof.PASSWORD.value if self.finder.is_usual else "unknown"
        return {"proof": proof, "blockers": (), "consequences": None}

    def email(self, connection: HTTPConnection) -> AttemptEmail:
        """Return the email of one attempt, in the language that the user has before the closure."""
        language, paths = self.language_of(connection), self.pages.paths

        def compose(receipt: Receipt) -> ConfirmationEmail:
            record = self._policy_texts(language).record(receipt)
            return ConfirmationEmail(
                path=paths.goodbye(receipt.reference), language=language, **record
            )

        return email_of(self.confirmation_email, compose)

    def _policy_texts(self, language: Language) -> PolicyTexts:
        labels = labels_in(self.labels, language)
        return PolicyTexts(self.finder.eraser.policy, labels, language, self.recipients)

    # ------------------------------------------------------------ endpoints

    async def get(self, request: Request) -> Response:
        """Show what will be deleted and the form, or explain it if no user is logged in."""
        language = self.language_of(request)
        try:
            subject = await self.live.who(request)
        except Exception as error:  # noqa: BLE001  (an answer for the user, never a traceback)
            report("The closing page failed", error)
            return self._problem(request, AttemptResult(Outcome.FAILED))
        if subject is None:
            if _wants_json(request):
                return self._problem(request, AttemptResult(Outcome.LOGGED_OUT))
            terms = self._policy_texts(language).retention_terms()
            return self.pages.page(
                "logged_out", request, language, notified=self.recipients, retention_terms=terms
            )
        return await self._closing_page(request, subject)

    async def post(self, request: Request) -> Response:
        """Close the account of the user who sent this, unless something is missing."""
        fields = await self._read(request)
        if isinstance(fields, Response):
            return fields
        channel = "program" if _wants_json(request) else "form"
        email = self.email(request)
        answer = await self.attempts.close(request, fields, channel=channel, email=email)
        if answer.outcome is Outcome.CLOSED:
            return self._closed(request, answer)
        if answer.outcome is Outcome.LOGGED_OUT and not _wants_json(request):
            if answer.was_logged_in or FORM_SHOWN in _session(request):
                return self._goodbye(request, answer)
            return self._to_login(request)
        return await self._refused(request, answer)

    async def _read(self, request: Request) -> dict[str, str] | Response:
        """Return the fields that were sent, or a refusal if no page of ours sent them."""
        try:
            body = await forms.read_body(request.receive)
            fields = forms.read_fields(request.headers.get("content-type", ""), body)
        except forms.FormTooLargeError:
            return self._refusal(request, 413, "too_large", TOO_LARGE)
        except forms.UnreadableFormError:
            return self._refusal(request, 400, "unreadable", UNREADABLE)
        except forms.DisconnectedError:
            return Response(status_code=400)
        # Checked here too, in case the application forgot the middleware.
        exempt = self.csrf_exempt(request) is True
        if exempt or csrf.is_genuine(request, fields, self.trusted):
            return fields
        return self._refusal(request, 403, "csrf", OUT_OF_DATE)

    async def done(self, request: Request) -> Response:
        """Show the goodbye page to everyone who has the confirmation number."""
        language = self.language_of(request)
        try:
            receipt = await self._receipt(request.query_params.get("reference", ""))
        except Exception as error:  # noqa: BLE001  (an answer for the user, never a traceback)
            report("The goodbye page failed", error)
            return self._problem(request, AttemptResult(Outcome.FAILED))
        if receipt is not None:
            record = self._policy_texts(language).record(receipt)
            if _wants_json(request):
                return JSONResponse(plain(record), headers=HEADERS)
            return self.pages.page("goodbye", request, language, **record)
        if _wants_json(request):
            return self._refusal(request, 404, "unknown", UNKNOWN)
        return self.pages.page("goodbye", request, language, 404, closed_on=None)

    async def _receipt(self, reference: str) -> Receipt | None:
        if not (reference.isascii() and reference.isalnum() and len(reference) <= _LONGEST):
            return None
        eraser = self.finder.eraser
        return await in_transaction(
            self.finder.session_factory, lambda session: eraser.get_receipt(session, reference)
        )

    # ------------------------------------------------------------ answers

    async def _closing_page(
        self, request: Request, subject: Hashable, answer: AttemptResult | None = None
    ) -> Response:
        language = self.language_of(request)
        facts = await self.facts_of(request, subject)
        if facts is None and not self.finder.is_usual:
            return self._problem(request, AttemptResult(Outcome.FAILED))
        described = self.describe(facts, language) if facts is not None else None
        if _wants_json(request):
            return JSONResponse(self._as_json(request, described), headers=HEADERS)
        shown = described.for_template() if described is not None else self.without_facts()
        message = language.say(answer.message) if answer is not None else None
        status = STATUS[answer.outcome] if answer is not None else 200
        return self.pages.page("closing", request, language, status, message=message, **shown)

    async def _refused(self, request: Request, answer: AttemptResult) -> Response:
        if _wants_json(request) or answer.outcome in (Outcome.FAILED, Outcome.LOGGED_OUT):
            return self._problem(request, answer)
        subject = await self.live.who(request)
        if subject is None:  # closed meanwhile, by another tab
            return self._goodbye(request, AttemptResult(Outcome.LOGGED_OUT))
        page = await self._closing_page(request, subject, answer)
        return _with_retry_after(page, answer)

    def _closed(self, request: Request, answer: AttemptResult) -> Response:
        if not _wants_json(request) or answer.receipt is None:
            return self._goodbye(request, answer)
        language = self.language_of(request)
        record = plain(self._policy_texts(language).record(answer.receipt))
        message = language.say(answer.message)
        response = JSONResponse({"status": "closed", "message": message, **record}, headers=HEADERS)
        return self._forget(request, response)

    def _goodbye(self, request: Request, answer: AttemptResult) -> Response:
        to = self.goodbye_path(answer) or self.pages.paths.redirect_path
        response = RedirectResponse(to, 303, headers={"Cache-Control": "no-store"})
        self._forget(request, response)
        if self.landing is not None:
            message = self.language_of(request).say(answer.message)
            csrf.session_of(request.scope)["flash"] = {"info": message}
        return response

    def _to_login(self, request: Request) -> Response:
        """Lead a visitor to the login page, and leave the session as it is.

        The session may have a path to return to after the login. Only if it has no data, we name
        this page as the one to return to, because the application's login page may store our path
        in place of its own.
        """
        paths = self.pages.paths
        has_data = has_data_of_the_site(_session(request), csrf.SESSION_KEYS)
        to = paths.login_path if has_data else paths.login
        return RedirectResponse(to, 303, headers={"Cache-Control": "no-store"})

    def goodbye_path(self, answer: AttemptResult) -> str | None:
        """Return the path of the goodbye page, or None if the application has its own page."""
        if self.landing is not None or answer.receipt is None:
            return None
        return self.pages.paths.goodbye(answer.receipt.reference)

    def _forget(self, request: Request, response: Response) -> Response:
        """Clear everything that keeps this browser logged in."""
        if "session" in request.scope:
            request.session.clear()
        secure = request.url.scheme == "https"
        for name in self.clear_cookies:
            response.delete_cookie(name, secure=secure, httponly=True, samesite="lax")
        return response

    def _problem(self, request: Request, answer: AttemptResult) -> Response:
        status = STATUS[answer.outcome]
        message = self.language_of(request).say(SENTENCES[answer.outcome])
        if not _wants_json(request):
            page = self.pages.page(
                "message", request, self.language_of(request), status, message=message
            )
            return _with_retry_after(page, answer)
        problem: dict[str, Any] = {"error": answer.outcome.name.lower(), "message": message}
        if answer.outcome in (Outcome.LOGGED_OUT, Outcome.STALE):
            problem["login_path"] = self.pages.paths.login
        if answer.blockers:
            problem["blockers"] = _translated(answer.blockers, self.language_of(request))
        return _with_retry_after(JSONResponse(problem, status, HEADERS), answer)

    def _refusal(self, request: Request, status: int, error: str, message: str) -> Response:
        """Refuse a request that no page of ours sent, or that is not readable."""
        language = self.language_of(request)
        if _wants_json(request):
            problem = {"error": error, "message": language.say(message)}
            return JSONResponse(problem, status, HEADERS)
        if error == "csrf":
            return csrf.refusal(request, language=language)
        return csrf.refusal(request, status, message, language)

    def _as_json(self, request: Request, described: AccountDescription | None) -> dict[str, Any]:
        """Return the facts of the page as JSON data."""
        shown = described.consequences if described is not None else None
        return {
            "deleted": shown.deleted if shown else None,
            "kept": [plain_line(line) for line in shown.kept] if shown else None,
            "notified": self.recipients,
            "names": shown.names if shown else None,
            "blockers": described.blockers if described else [],
            "proof": described.facts.proof.value if described else Proof.PASSWORD.value,
            "login_path": self.pages.paths.login,
            "csrf_token": csrf.csrf_token(request) if "session" in request.scope else None,
        }


def _translated(blockers: Iterable[Blocker], language: Language) -> list[dict[str, str]]:
    return [blocker.in_language(language.code) for blocker in blockers]


def _session(request: Request) -> Mapping[str, Any]:
    return request.session if "session" in request.scope else {}


def _with_retry_after(response: Response, answer: AttemptResult) -> Response:
    if answer.retry_after is not None:
        response.headers["Retry-After"] = str(answer.retry_after)
    return response


def _wants_json(request: Request) -> bool:
    """Tell whether a program asks, because it accepts JSON, or sent JSON and accepts no HTML."""
    accept = request.headers.get("accept", "")
    if "text/html" in accept:
        return False
    sent = forms.kind_of(request.headers.get("content-type", ""))
    return "application/json" in accept or sent == forms.JSON
