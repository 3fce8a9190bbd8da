"""A browser without a window, for tests that run the page's own script.

Node runs `page.mjs`: it loads pages from a real server, parses them, and runs their modules as
they are served. See there for what it can do; it is no substitute for a real browser's layout.
"""

import json
import subprocess
from pathlib import Path

PROGRAM = Path(__file__).with_name("page.mjs")


class BrowserError(AssertionError):
    """The browser could not do what the test asked."""


class Browser:
    """One browser with its own cookies. Use it as a context manager."""

    def __init__(self, node, address):
        self._process = subprocess.Popen(
            [node, "--no-warnings", "--experimental-vm-modules", str(PROGRAM), address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def _do(self, command, **given):
        self._process.stdin.write(json.dumps({"command": command, **given}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BrowserError("the browser has stopped")
        answer = json.loads(line)
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer["result"]

    # What a person does.

    def open(self, path):
        """Go to a page and run its modules."""
        self._do("open", path=path)

    def elsewhere(self, path):
        """Load a page in another tab of the same browser; return what it says."""
        return self._do("elsewhere", path=path)

    def click(self, selector):
        """Click the first match, which must be visible; a disabled one ignores it."""
        self._do("click", selector=selector)

    def fill(self, selector, value):
        """Type into a visible field."""
        self._do("fill", selector=selector, value=value)

    def check(self, selector):
        """Tick a visible box."""
        self._do("check", selector=selector)

    # What the test waits for.

    def connected(self):
        """Wait until the live socket is open."""
        self._do("connected")

    def see(self, text):
        """Wait until the text is visible."""
        self._do("see", text=text)

    def arrive(self, path):
        """Wait until the page at this path has been loaded."""
        self._do("arrive", path=path)

    def wait(self, kind, count=1):
        """Wait until so many entries of a kind are in the traffic."""
        self._do("wait", kind=kind, count=count)

    # What the test arranges.

    def push(self, event, payload):
        """Send an event as a module of the page would; return the ack."""
        return self._do("push", event=event, payload=payload)

    def dispatch(self, type, **init):  # noqa: A002
        """Let the window hear an event, such as ``pageshow``."""
        self._do("dispatch", type=type, init=init)

    def request_submit(self, selector):
        """Submit a form as a script can, whatever its button says."""
        self._do("requestSubmit", selector=selector)

    def change(self, selector, name, value):
        """Set an attribute, as another script of the page might."""
        self._do("change", selector=selector, name=name, value=value)

    def drop(self):
        """Close the page's sockets, as a network does."""
        self._do("drop")

    def faults(self, **faults):
        """Set what goes wrong.

        ``offline``: nothing gets through. ``socketless``: no socket does. ``deaf``: what the
        server says over the socket is lost. ``logOut="fail"``: the request is lost; any other
        text is its CSRF token.
        """
        self._do("faults", **faults)

    # What the test looks at.

    @property
    def state(self):
        """The page, what is visible of the section, the traffic, the cookies."""
        return self._do("state")

    @property
    def path(self):
        """The path of the page."""
        return self.state["path"]

    @property
    def html(self):
        """The page as the server sent it."""
        return self.state["html"]

    def traffic(self, kind):
        """Return the entries of one kind: request, sent, received, navigate, socket open…"""
        return [entry for entry in self.state["traffic"] if entry["kind"] == kind]

    def requests(self):
        """Return what was asked of the server, as lines like ``GET / 200``."""
        entries = self.traffic("request")
        return [f"{entry['method']} {entry['path']} {entry['status']}" for entry in entries]

    def sent(self):
        """Return the events sent over the socket."""
        return [entry["message"]["event"] for entry in self.traffic("sent")]
