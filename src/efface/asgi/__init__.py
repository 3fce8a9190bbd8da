"""HOST · ASGI: the closing section, its endpoint, the live socket, CSRF.

For Starlette and FastAPI. `efface.asgi.csrf` is useful without the rest.
"""

try:
    import jinja2  # noqa: F401  (asked for here, so that one sentence names the extra)
    import starlette  # noqa: F401
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f'efface.asgi needs {missing.name}. Install it: pip install "efface[asgi]"',
        name=missing.name,
    ) from None

from efface.asgi.closing import AccountClosing
from efface.asgi.facts import Blocker
from efface.asgi.live import Live, LiveEvent
from efface.asgi.proof import TooManyTriesError

__all__ = ["AccountClosing", "Blocker", "Live", "LiveEvent", "TooManyTriesError"]
