"""HOST · Which site a request comes from, as far as the browser says."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

_PORTS = {"http": 80, "https": 443}
_AS_HTTP = {"ws": "http", "wss": "https"}

Origin = tuple[str, str, int]


def parse_origin(text: str) -> Origin | None:
    """Return scheme, host and port of an origin, or none where it names no site."""
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
    """Return the origin under which the browser reached us."""
    host = connection.headers.get("host")
    return parse_origin(f"{connection.scope['scheme']}://{host}") if host else None


def comes_from_here(connection: HTTPConnection, trusted: Collection[str] = ()) -> bool:
    """Tell whether the connection names its origin, and names this site or a trusted one."""
    named = parse_origin(connection.headers.get("origin", ""))
    if named is None:
        return False
    return named == own_origin(connection) or named in {parse_origin(site) for site in trusted}


def admits(connection: HTTPConnection, trusted: Collection[str] = ()) -> bool:
    """Tell whether an unsafe request may pass as far as its origin is concerned.

    A request that says nothing about its origin passes: programs other than browsers
    say nothing, and the token still decides. A socket handshake does not come here.
    """
    if "origin" in connection.headers and not comes_from_here(connection, trusted):
        return False
    if connection.headers.get("sec-fetch-site") != "cross-site":
        return True
    return parse_origin(connection.headers.get("origin", "")) in map(parse_origin, trusted)
