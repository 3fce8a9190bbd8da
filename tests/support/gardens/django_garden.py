"""The garden on Django, in a process of its own."""

import logging
import re
from contextlib import ExitStack, contextmanager
from functools import partialmethod

import httpx
from django.http import Http404

from garden.database import open_engine
from garden.mailer import Mailbox
from garden.site_settings import Settings
from tests.support.gardens.browser import Browser
from tests.support.gardens.garden import SECRET, Clock, Garden


class Loopback(httpx.BaseTransport):
    """Hands requests to the server of a child, under the name that the browser knows it by.

    As with a garden in the test's own process, the answer comes when everything is done that the
    site does after it.
    """

    def __init__(self, child):
        self._child, self._inner, self.port = child, httpx.HTTPTransport(), 0

    def handle_request(self, request):
        # In front of the site stands, as it were, a proxy that knows TLS.
        headers = httpx.Headers(request.headers)
        headers["X-Forwarded-Proto"] = request.url.scheme
        there = httpx.Request(
            request.method,
            f"http://127.0.0.1:{self.port}",
            headers=headers,
            stream=request.stream,
            extensions={**request.extensions, "target": request.url.raw_path},
        )
        answer = self._inner.handle_request(there)
        content = answer.read()
        self._child.call("finalized")
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)

    def close(self):
        self._inner.close()


class ChildsClock(Clock):
    """The time, here and in the child."""

    def __init__(self, child):
        self._child = child
        super().__init__()

    @property
    def now(self):
        return self._now

    @now.setter
    def now(self, moment):
        self._now = moment
        self._child.call("set_time", moment)


class ChildsMailbox(Mailbox):
    """The mails that the child has sent."""

    def __init__(self, child):
        self._child = child

    def all(self):
        return self._child.call("mails")

    def wait_for(self, address, *, mails=1):
        return self._child.call("wait_for_mail", address, mails)


class ChildsHasher:
    """The number of hashes that the child has made or looked at."""

    def __init__(self, child):
        self._child = child

    @property
    def calls(self):
        return self._child.call("calls")

    @calls.setter
    def calls(self, calls):
        self._child.call("set_calls", calls)


class DjangoGarden(Garden):
    """The garden on Django; what it does itself, the child does: see `django_site`."""

    NOT_FOUND = Http404
    FOLDER = "garden_django"
    PROGRAM = ("garden_django.asgi:application",)

    def __init__(self, database_url, children, *, log_level=logging.WARNING, **changes):
        site = Settings(database_url, SECRET, **{"dev": True, **changes})
        self._child = children.of(site)
        transport = Loopback(self._child)
        transport.port = self._child.call("open", site, log_level)
        clock, self.mailbox = ChildsClock(self._child), ChildsMailbox(self._child)
        self.hasher = ChildsHasher(self._child)
        super().__init__(site, open_engine(database_url), clock=clock, transport=transport)

    def dispose(self):
        self._child.call("close")
        self._transport.close()
        self.engine.dispose()

    @property
    def log(self):
        """What the site has said in its log, as text."""
        return self._child.call("logged")

    @property
    def writes(self):
        """The number of writes that the site has sent to its database."""
        return self._child.call("written")

    @contextmanager
    def served(self, port=0):
        """Serve it at another port, and give a maker of browsers."""
        self._transport.port = self._child.call("serve", port)
        address = f"http://127.0.0.1:{self._transport.port}"
        try:
            with ExitStack() as windows:
                yield lambda: windows.enter_context(Browser(address))
        finally:
            self._transport.port = self._child.call("serve", 0)

    @contextmanager
    def looking_together(self, number):
        """Let so many look for a member before any of them hears what was found."""
        self._child.call("look_together", number)
        try:
            yield
        finally:
            self._child.call("look_alone")

    def paths(self):
        """Return the paths that can be opened, with names for what varies: `/groups/{group_id}`."""
        self.member("everywhere@garden.example")
        browser = self.signed_in("everywhere@garden.example")
        filled = {path: re.sub(r"{\w+}", "1", path) for path in self._patterns()}
        return {path for path, one in filled.items() if browser.get(one).status_code != 405}

    def _call(self, name, /, *args, **fields):
        return self._child.call(name, *args, **fields)

    close = partialmethod(_call, "close_account")
    finalized = partialmethod(_call, "finalized")
    member, token = partialmethod(_call, "member"), partialmethod(_call, "token")
    session_cookie = partialmethod(_call, "session_cookie")
    leave, plan = partialmethod(_call, "leave"), partialmethod(_call, "plan")
    ask, members = partialmethod(_call, "ask"), partialmethod(_call, "members")
    registered = partialmethod(_call, "registered")
    hold, change_held = partialmethod(_call, "hold"), partialmethod(_call, "change_held")
    token_for_held = partialmethod(_call, "token_for_held")
    plant, purge = partialmethod(_call, "plant"), partialmethod(_call, "purge")
    lose_mail_server = partialmethod(_call, "lose_mail_server")
    problems, unmigrated = partialmethod(_call, "problems"), partialmethod(_call, "unmigrated")
    path_of, _patterns = partialmethod(_call, "path_of"), partialmethod(_call, "patterns")
