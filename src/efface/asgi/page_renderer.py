"""Render the section and our pages as HTML, in the user's language."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
)
from markupsafe import Markup
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, HTMLResponse, Response

from efface.asgi import csrf
from efface.page.ended_sessions import FORM_SHOWN
from efface.page.security_headers import HEADERS, SCRIPT, STYLE
from efface.page.translations import Language

Templates = str | PathLike[str] | BaseLoader

_FILES = {each.name: each for each in (SCRIPT, STYLE)}
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}


@dataclass(frozen=True)
class Paths:
    """Name the paths on this site that the pages link to."""

    path: str
    live_path: str
    login_path: str
    logout_path: str
    redirect_path: str

    @property
    def login(self) -> str:
        """Return the path to the login page that leads back to this page."""
        return f"{self.login_path}?{urlencode({'return_to': self.path})}"

    def goodbye(self, reference: str) -> str:
        """Return the path of the goodbye page for a confirmation number."""
        return f"{self.path}/done?{urlencode({'reference': reference})}"


class Pages:
    """Render the templates with the paths of one installation.

    Args:
        paths: The paths that the pages link to.
        templates: A folder or loader of the application. A template there replaces ours of the
            same name. To change one block only, begin it with
            ``{% extends "efface/delete_account_dialog.html" %}``.
    """

    def __init__(self, paths: Paths, templates: Templates | None = None) -> None:
        self.paths = paths
        ours = PackageLoader("efface.asgi")
        loaders: list[BaseLoader] = [ours, PrefixLoader({"efface": ours})]
        if templates is not None:
            own = templates if isinstance(templates, BaseLoader) else _folder(templates)
            loaders.insert(0, own)
        self._loader = ChoiceLoader(loaders)
        self._environments: dict[str, Environment] = {}

    def section(
        self, connection: HTTPConnection, language: Language, *, level: int = 2, **facts: Any
    ) -> Markup:
        """Return the section, with a heading of this *level*."""
        csrf.session_of(connection.scope)[FORM_SHOWN] = True
        text = self._render(
            "delete_account_dialog.html", connection, language, {"level": level, **facts}
        )
        return Markup(text)  # noqa: S704  (our own template, autoescaped)

    def page(
        self, name: str, request: Request, language: Language, status: int = 200, **facts: Any
    ) -> Response:
        """Return one of our pages by its *name*."""
        if name == "closing":
            facts["section"] = self.section(request, language, level=1, **facts)
        text = self._render(f"{name}.html", request, language, facts)
        headers = {**HEADERS, "Content-Language": language.code}
        return HTMLResponse(text, status, headers)

    def _render(
        self, name: str, connection: HTTPConnection, language: Language, facts: dict[str, Any]
    ) -> str:
        template = self._environment(language).get_template(name)
        return template.render(
            **vars(self.paths),
            login=self.paths.login,
            language=language,
            csrf_token=csrf.csrf_token(connection),
            **facts,
        )

    def _environment(self, language: Language) -> Environment:
        environment = self._environments.get(language.code)
        if environment is None:
            environment = Environment(
                loader=self._loader,
                autoescape=True,
                undefined=StrictUndefined,
                extensions=["jinja2.ext.i18n"],
                auto_reload=False,
            )
            # One for each language, so that no page changes its language while it is rendered.
            environment.install_gettext_translations(  # type: ignore[attr-defined]
                language.catalog, newstyle=True
            )
            self._environments[language.code] = environment
        return environment


def _folder(path: str | PathLike[str]) -> BaseLoader:
    folder = fspath(path)
    if not Path(folder).is_dir():
        raise ValueError(
            "templates is not a folder, so none of your templates would be used. "
            "Pass the path of an existing folder, or a Jinja2 loader."
        )
    return FileSystemLoader(folder)


def asset(name: str) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint for one of our static files."""
    path = _FILES[name]

    async def endpoint(_: Request) -> Response:
        headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        return FileResponse(path, media_type=_MEDIA_TYPES[path.suffix], headers=headers)

    return endpoint
