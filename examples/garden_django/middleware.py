"""Middleware: headers, background tasks, forms, and pages for whatever goes wrong."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.multipartparser import MultiPartParserError
from django.template.loader import render_to_string

from garden import notices
from garden.security_headers import PAGE_HEADERS, SECURITY_HEADERS
from garden_django.app_state import state
from garden_django.web import Answering, RefusedError

FORM = "application/x-www-form-urlencoded"


def security_headers(get_response: Answering) -> Answering:
    """Add the headers to every answer, and keep pages about people out of every cache."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        for name, value in {**SECURITY_HEADERS, **(PAGE_HEADERS if is_page else {})}.items():
            response.headers.setdefault(name, value)
        return response

    return middleware


def background_tasks_after_the_answer(get_response: Answering) -> Answering:
    """Run a view's background tasks when its response is ready."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.background_tasks = []
        response = get_response(request)
        for task in request.background_tasks:
            state.background_tasks.run(*task)
        return response

    return middleware


def forms(get_response: Answering) -> Answering:
    """Read the form of any method, and the token in it, as the pages of the garden name it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.form = request.POST
        if request.method != "POST" and request.content_type == FORM:
            request.form = QueryDict(request.body, encoding=request.encoding)
        token = request.form.get("_csrf_token")
        if token and request.method == "POST":
            request.form = request.POST = request.POST.copy()
            request.POST["csrfmiddlewaretoken"] = token
        elif token:
            # Of other methods Django reads the header alone.
            request.META.setdefault("HTTP_X_CSRF_TOKEN", token)
        return get_response(request)

    return middleware


class error_pages:  # noqa: N801  # used as the functions above are
    """Answer people with a page and scripts with JSON, where a view refuses."""

    def __init__(self, get_response: Answering) -> None:
        """Stand inside of everything else."""
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Put our page in place of a bare refusal of a method."""
        response = self._get_response(request)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED and not response.content:
            return error_page(request, 405, {"Allow": response.headers["Allow"]})
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a refusal."""
        if isinstance(error, RefusedError):
            return error_page(request, error.status, error.headers)
        return None


def error_page(
    request: HttpRequest, status: int, headers: dict[str, str] | None = None
) -> HttpResponse:
    """Return the page for an error; it needs neither database nor session."""
    phrase = HTTPStatus(status).phrase
    accept = request.headers.get("Accept", "text/html")
    if "text/html" not in accept and "application/json" in accept:
        return JsonResponse({"error": phrase}, status=status, headers=headers)
    context = {"status": status, "phrase": phrase, "what": notices.WENT_WRONG.get(status, phrase)}
    page = render_to_string("error.html", context)
    return HttpResponse(page, status=status, headers={**(headers or {}), "Content-Language": "en"})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that can't be read, or whose form is too large."""
    is_unreadable = isinstance(exception, MultiPartParserError)
    return error_page(request, 422 if is_unreadable else 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001  # Django passes it
    """Answer who may not come in."""
    return error_page(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001  # as above
    """Answer where there is nothing."""
    return error_page(request, 404)


def failed(request: HttpRequest) -> HttpResponse:
    """Answer where we failed; Django has logged it."""
    return error_page(request, 500)
