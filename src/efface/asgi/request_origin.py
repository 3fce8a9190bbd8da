"""Read from which site a request comes, as far as the browser says."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

_PORTS = {"http": 80, "https": 443}
_AS_HTTP = {"ws": "http", "wss": "https"}

Origin = tuple[str, str, int]


def parse_origin(text: str) -> Origin | None:
    """Return scheme, host and port of an origin, or None if it doesn't name a site."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    scheme = _AS_HTTP.get(parts.scheme, parts.scheme)
    if scheme not in _PORTS or not parts.hostname:
        return None
    return scheme, parts.hostname, _PORTS[scheme] if port is None else port


def own_origin(connection: HTTPConnection) -> Origin | None:
    """Return the origin of this site, as the browser knows it."""
    host = connection.headers.get("host")
    return parse_origin(f"{connection.scope['scheme']}://{host}") if host else None


def comes_from_here(connection: HTTPConnection, trusted: Collection[str] = ()) -> bool:
    """Tell whether the connection names this site or a trusted one as its origin."""
    named = parse_origin(connection.headers.get("origin", ""))
    if named is None:
        return False
    return named == own_origin(connection) or named in {parse_origin(site) for site in trusted}


def admits(connection: HTTPConnection, trusted: Collection[str] = ()) -> bool:
    """Tell whether the origin of an unsafe request allows it to pass.

    A request without an origin passes, because programs other than browsers send none, and it
    still needs the token. Socket handshakes are checked by `comes_from_here` instead.
    """
    if "origin" in connection.headers and not comes_from_here(connection, trusted):
        return False
    if connection.headers.get("sec-fetch-site") != "cross-site":
        return True
    return parse_origin(connection.headers.get("origin", "")) in map(parse_origin, trusted)
