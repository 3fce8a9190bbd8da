"""Browsers: they keep cookies, follow redirects, and send the token of the page they are on."""

import json
import re
from contextlib import contextmanager
from html import unescape
from urllib.parse import quote

import httpx
from websockets.sync.client import connect

from garden.accounts.token_secrets import REMEMBER_ME

PASSWORD = "runner beans and peas"
META = re.compile(r'<meta name="csrf-token" content="([^"]+)">')
NOTICE = re.compile(r'<p class="notice[^>]*>(.*?)</p>', re.DOTALL)
ERROR = re.compile(r'<span class="field-error" id="([\w-]+)-error">(.*?)</span>')


def alike(answer):
    """Return everything of an answer that anybody can compare."""
    volatile = {"set-cookie", "date"}
    headers = {name: value for name, value in answer.headers.items() if name not in volatile}
    return answer.status_code, headers, len(answer.content)


class InProcess(httpx.BaseTransport):
    """Hands requests to an application in an event loop beside the test."""

    def __init__(self, app, loop):
        self._inner, self._loop = httpx.ASGITransport(app, raise_app_exceptions=False), loop

    def handle_request(self, request):
        answer = self._loop.call(self._inner.handle_async_request, request)
        content = self._loop.call(answer.aread)
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)


class Browser(httpx.Client):
    """A browser: it keeps cookies, follows redirects by GET, and sends the token of its page."""

    def __init__(self, address="http://garden.test", **options):
        super().__init__(base_url=address, timeout=10, **options)
        self.address = address
        self.page = ""

    def open(self, path):
        """Open a page and return the first answer; where it redirects, go there too."""
        return self._arrive(self.get(path))

    def submit(self, path, *, method="POST", **fields):
        """Send a form from the page that is open, or from a fresh start page."""
        if not self.token:
            self.open("/")
        data, headers = {"_csrf_token": self.token, **fields}, {"Origin": self.address}
        return self._arrive(self.request(method, path, data=data, headers=headers))

    def script(self, method, path, **options):
        """Send a request as a script of the page does, with the token in the header."""
        if not self.token:
            self.open("/")
        headers = {
            "Accept": "application/json",
            "Origin": self.address,
            "X-CSRF-Token": self.token,
        }
        return self.request(method, path, headers=headers, **options)

    def log_in(self, email, password=PASSWORD, **fields):
        """Log in through the form."""
        self.open("/users/log_in")
        return self.submit("/users/log_in", email=email, password=password, **fields)

    @property
    def token(self):
        """The token in the meta tag of the page."""
        found = META.search(self.page)
        return found[1] if found else ""

    @property
    def notice(self):
        """What the page tells at its top."""
        return " ".join(unescape(found) for found in NOTICE.findall(self.page))

    @property
    def errors(self):
        """The errors beside the fields of the page."""
        return {field: unescape(error) for field, error in ERROR.findall(self.page)}

    @property
    def is_signed_in(self):
        """Whether the pages offer this browser to log out."""
        return 'action="/users/log_out"' in self.get("/members").text

    @property
    def remembers(self):
        """Whether it holds a remember-me cookie."""
        return REMEMBER_ME in self.cookies

    def copy(self):
        """Return a browser with the same cookies, as a thief would have it."""
        other = Browser(self.address, transport=self._transport)
        other.cookies.update(self.cookies)
        other.page = self.page
        return other

    @contextmanager
    def socket(self, **changes):
        """Open the live socket of the page that is open."""
        origin = changes.get("origin", self.address)
        token = quote(changes.get("token", self.token))
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        address = f"{self.address.replace('http', 'ws', 1)}/live?_csrf_token={token}"
        headers = {"Cookie": cookies}
        # As in a browser, what nobody has looked at yet keeps the socket from nothing: with a
        # queue that ends, it would wait ten seconds for its own close.
        with connect(address, origin=origin, additional_headers=headers, max_queue=None) as wire:
            yield Socket(wire)

    def _arrive(self, answer):
        self.page = answer.text
        followed = answer
        while followed.is_redirect:
            followed = self.get(followed.headers["location"])
            self.page = followed.text
        return answer


class Socket:
    """A live socket, as the page's script uses it."""

    def __init__(self, wire):
        self.wire = wire
        self._serial = 0

    def push(self, event, **payload):
        """Send an event and return its ack."""
        self._serial += 1
        message = {"id": self._serial, "event": event, "payload": payload}
        self.wire.send(json.dumps(message))
        return self.hear()

    def hear(self):
        """Return the next message."""
        return json.loads(self.wire.recv(10))
