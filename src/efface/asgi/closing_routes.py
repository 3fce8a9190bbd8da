"""HOST · What the closing path answers: pages for people, JSON for programs, the same rules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from efface.asgi import csrf
from efface.asgi import form_reader as forms
from efface.asgi.closing_attempt import Attempts
from efface.asgi.email_after_commit import PrepareEmail, email_of
from efface.asgi.live import Live
from efface.asgi.negotiated_language import Choose, chosen
from efface.asgi.page_facts import FactFinder, Facts
from efface.asgi.page_renderer import Pages
from efface.asgi.session_transaction import in_transaction
from efface.evidence.receipt import Receipt
from efface.page.attempt_outcome import (
    OUT_OF_DATE,
    SENTENCES,
    STATUS,
    TOO_LARGE,
    UNKNOWN,
    UNREADABLE,
    Answer,
    Outcome,
)
from efface.page.blockers import Blocker
from efface.page.confirmation_email import AttemptEmail, ConfirmationEmail
from efface.page.consequences import Consequences, Labels, PolicyTexts, labels_in, plain, plain_line
from efface.page.identity_proof import Proof
from efface.page.security_headers import HEADERS
from efface.page.translations import Language
from efface.safe_logging import reporter

report = reporter("efface.asgi")

_LONGEST = 32  # of a reference


@dataclass(frozen=True)
class Said:
    """The facts about one person, and what they mean in a language."""

    facts: Facts
    consequences: Consequences
    blockers: list[dict[str, str]]

    def for_template(self) -> dict[str, Any]:
        """Return what the section needs."""
        return {
            "proof": self.facts.proof.value,
            "blockers": self.blockers,
            "consequences": self.consequences,
        }


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The endpoints of one installation.

    *csrf_exempt* tells of a request that no browser sends by itself; *landing* is the host's own
    page after a closing, or None for our farewell.
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
    language: Choose | None
    recipients: Collection[str]
    confirmation_email: PrepareEmail | None

    # ------------------------------------------------------------ what is so

    def language_of(self, connection: HTTPConnection) -> Language:
        """Return the language in which *connection* is answered."""
        return chosen(connection, self.language)

    def said(self, facts: Facts, language: Language) -> Said:
        """Return the facts together with their meaning."""
        consequences = self._policy_texts(language).consequences(facts.steps)
        return Said(facts, consequences, _said(facts.blockers, language))

    async def facts_of(self, connection: HTTPConnection, subject: Hashable) -> Facts | None:
        """Return the facts about *subject*, or None where they cannot be had just now."""
        try:
            return await self.finder.of(connection, subject)
        except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
            report("The facts for the closing page failed", error)
            return None

    def unknown(self) -> dict[str, Any]:
        """Return what the section needs where the facts are not known."""
        proof = Proof.PASSWORD.value if self.finder.is_usual else "unknown"
        return {"proof": proof, "blockers": (), "consequences": None}

    def email(self, connection: HTTPConnection) -> AttemptEmail:
        """Return the mail of one attempt, in the language that holds before the account closes."""
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
        """Show what closing means, or to somebody signed out how it is done."""
        language = self.language_of(request)
        try:
            subject = await self.live.who(request)
        except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
            report("The closing page failed", error)
            return self._problem(request, Answer(Outcome.FAILED))
        if subject is None:
            if _wants_json(request):
                return self._problem(request, Answer(Outcome.LOGGED_OUT))
            notified, retention_terms = (
                self.recipients,
                self._policy_texts(language).retention_terms(),
            )
            return self.pages.page(
                "logged_out", request, language, notified=notified, retention_terms=retention_terms
            )
        return await self._closing_page(request, subject)

    async def post(self, request: Request) -> Response:
        """Close the account of whoever sent this, if everything is as it must be."""
        fields = await self._read(request)
        if isinstance(fields, Response):
            return fields
        channel = "program" if _wants_json(request) else "form"
        email = self.email(request)
        answer = await self.attempts.close(request, fields, channel=channel, email=email)
        if answer.outcome is Outcome.CLOSED:
            return self._closed(request, answer)
        if answer.outcome is Outcome.LOGGED_OUT and not _wants_json(request):
            return self._goodbye(request, answer)
        return await self._refused(request, answer)

    async def _read(self, request: Request) -> dict[str, str] | Response:
        """Return the fields that were sent, or the refusal of what did not come from our page."""
        try:
            body = await forms.read_body(request.receive)
            fields = forms.read_fields(request.headers.get("content-type", ""), body)
        except forms.FormTooLargeError:
            return self._refusal(request, 413, "too_large", TOO_LARGE)
        except forms.UnreadableFormError:
            return self._refusal(request, 400, "unreadable", UNREADABLE)
        except forms.DisconnectedError:
            return Response(status_code=400)
        # Asked here too: somebody may have forgotten the middleware.
        exempt = self.csrf_exempt(request) is True
        if exempt or csrf.is_genuine(request, fields, self.trusted):
            return fields
        return self._refusal(request, 403, "csrf", OUT_OF_DATE)

    async def done(self, request: Request) -> Response:
        """Show the farewell of one closing to whoever has its number."""
        language = self.language_of(request)
        try:
            receipt = await self._receipt(request.query_params.get("reference", ""))
        except Exception as error:  # noqa: BLE001  (an answer for the person, never a trace)
            report("The farewell page failed", error)
            return self._problem(request, Answer(Outcome.FAILED))
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
        self, request: Request, subject: Hashable, answer: Answer | None = None
    ) -> Response:
        language = self.language_of(request)
        facts = await self.facts_of(request, subject)
        if facts is None and not self.finder.is_usual:
            return self._problem(request, Answer(Outcome.FAILED))
        said = self.said(facts, language) if facts is not None else None
        if _wants_json(request):
            return JSONResponse(self._as_json(request, said), headers=HEADERS)
        shown = said.for_template() if said is not None else self.unknown()
        message = language.say(answer.message) if answer is not None else None
        status = STATUS[answer.outcome] if answer is not None else 200
        return self.pages.page("closing", request, language, status, message=message, **shown)

    async def _refused(self, request: Request, answer: Answer) -> Response:
        if _wants_json(request) or answer.outcome in (Outcome.FAILED, Outcome.LOGGED_OUT):
            return self._problem(request, answer)
        subject = await self.live.who(request)
        if subject is None:  # closed meanwhile, by another tab
            return self._goodbye(request, Answer(Outcome.LOGGED_OUT))
        page = await self._closing_page(request, subject, answer)
        return _waiting(page, answer)

    def _closed(self, request: Request, answer: Answer) -> Response:
        if not _wants_json(request) or answer.receipt is None:
            return self._goodbye(request, answer)
        language = self.language_of(request)
        record = plain(self._policy_texts(language).record(answer.receipt))
        message = language.say(answer.message)
        response = JSONResponse({"status": "closed", "message": message, **record}, headers=HEADERS)
        return self._forget(request, response)

    def _goodbye(self, request: Request, answer: Answer) -> Response:
        to = self.goodbye_path(answer) or self.pages.paths.redirect_path
        response = RedirectResponse(to, 303, headers={"Cache-Control": "no-store"})
        self._forget(request, response)
        if self.landing is not None:
            message = self.language_of(request).say(answer.message)
            csrf.session_of(request.scope)["flash"] = {"info": message}
        return response

    def goodbye_path(self, answer: Answer) -> str | None:
        """Return where our farewell is read, or None where the host has a page of its own."""
        if self.landing is not None or answer.receipt is None:
            return None
        return self.pages.paths.goodbye(answer.receipt.reference)

    def _forget(self, request: Request, response: Response) -> Response:
        """Clear what signs this browser in."""
        if "session" in request.scope:
            request.session.clear()
        secure = request.url.scheme == "https"
        for name in self.clear_cookies:
            response.delete_cookie(name, secure=secure, httponly=True, samesite="lax")
        return response

    def _problem(self, request: Request, answer: Answer) -> Response:
        status = STATUS[answer.outcome]
        message = self.language_of(request).say(SENTENCES[answer.outcome])
        if not _wants_json(request):
            page = self.pages.page(
                "message", request, self.language_of(request), status, message=message
            )
            return _waiting(page, answer)
        problem: dict[str, Any] = {"error": answer.outcome.name.lower(), "message": message}
        if answer.outcome in (Outcome.LOGGED_OUT, Outcome.STALE):
            problem["login_path"] = self.pages.paths.login
        if answer.blockers:
            problem["blockers"] = _said(answer.blockers, self.language_of(request))
        return _waiting(JSONResponse(problem, status, HEADERS), answer)

    def _refusal(self, request: Request, status: int, error: str, message: str) -> Response:
        """Refuse what did not come from a page of ours, or could not be read."""
        language = self.language_of(request)
        if _wants_json(request):
            problem = {"error": error, "message": language.say(message)}
            return JSONResponse(problem, status, HEADERS)
        if error == "csrf":
            return csrf.refusal(request, language=language)
        return csrf.refusal(request, status, message, language)

    def _as_json(self, request: Request, said: Said | None) -> dict[str, Any]:
        """Return the facts of the page for a program."""
        shown = said.consequences if said is not None else None
        return {
            "deleted": shown.deleted if shown else None,
            "kept": [plain_line(line) for line in shown.kept] if shown else None,
            "notified": self.recipients,
            "names": shown.names if shown else None,
            "blockers": said.blockers if said else [],
            "proof": said.facts.proof.value if said else Proof.PASSWORD.value,
            "login_path": self.pages.paths.login,
            "csrf_token": csrf.csrf_token(request) if "session" in request.scope else None,
        }


def _said(blockers: Iterable[Blocker], language: Language) -> list[dict[str, str]]:
    return [blocker.said(language.code) for blocker in blockers]


def _waiting(response: Response, answer: Answer) -> Response:
    if answer.retry_after is not None:
        response.headers["Retry-After"] = str(answer.retry_after)
    return response


def _wants_json(request: Request) -> bool:
    """Tell whether a program asks: it says so, or has sent JSON and does not want a page."""
    accept = request.headers.get("accept", "")
    if "text/html" in accept:
        return False
    sent = forms.kind_of(request.headers.get("content-type", ""))
    return "application/json" in accept or sent == forms.JSON
