"""HOST · The section and the page around it, as HTML."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, HTMLResponse, Response

from efface.asgi.consequences import Consequences
from efface.asgi.csrf import csrf_token

_STATIC = Path(__file__).with_name("static")
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}


class Pages:
    """Renders the templates with the paths of one installation."""

    def __init__(self, path: str, live_path: str, log_out_path: str, redirect_path: str) -> None:
        self._paths = {
            "path": path,
            "live_path": live_path,
            "log_out_path": log_out_path,
            "redirect_path": redirect_path,
        }
        self._templates = Environment(
            loader=PackageLoader("efface.asgi"), autoescape=True, undefined=StrictUndefined
        )

    def section(
        self,
        connection: HTTPConnection,
        consequences: Consequences | None,
        message: str | None = None,
    ) -> Markup:
        """Return the section. Without *consequences* it links to the page that has them."""
        template = self._templates.get_template("section.html")
        return Markup(  # noqa: S704  (our own template, autoescaped)
            template.render(
                **self._paths,
                csrf_token=csrf_token(connection),
                consequences=consequences,
                message=message,
            )
        )

    def closing_page(
        self,
        request: Request,
        status: int,
        consequences: Consequences | None,
        message: str | None = None,
    ) -> Response:
        """Return a page that is the section alone, for hosts without a settings page too."""
        return self.page(request, status, None, self.section(request, consequences, message))

    def page(
        self, request: Request, status: int, message: str | None, section: Markup | None = None
    ) -> Response:
        """Return a page with the section, or with one sentence and a way on."""
        template = self._templates.get_template("page.html")
        text = template.render(
            **self._paths, csrf_token=csrf_token(request), section=section, message=message
        )
        return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"})


def asset(name: str) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint for one of our static files."""
    path = _STATIC / name

    async def endpoint(_: Request) -> Response:
        headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        return FileResponse(path, media_type=_MEDIA_TYPES[path.suffix], headers=headers)

    return endpoint
