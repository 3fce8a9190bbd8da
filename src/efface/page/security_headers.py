"""Name the headers of our pages, and the files of their style sheet and script."""

from __future__ import annotations

from pathlib import Path

STYLE = Path(__file__).with_name("static") / "efface.css"
SCRIPT = STYLE.with_name("efface.js")

# 'self' in connect-src covers the WebSocket. Our pages contain no inline script or style.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept, Accept-Language",
}
