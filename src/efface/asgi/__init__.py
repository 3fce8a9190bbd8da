"""HOST · ASGI: the closing section, its endpoint, the live socket, CSRF.

For Starlette and FastAPI. `efface.asgi.csrf` is useful without the rest, so a name is loaded
when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from efface.asgi.closing import AccountClosing
    from efface.asgi.live import Live, LiveEvent
    from efface.page.blocker import Blocker
    from efface.page.farewell import Farewell
    from efface.page.proof import TooManyTriesError

__all__ = ["AccountClosing", "Blocker", "Farewell", "Live", "LiveEvent", "TooManyTriesError"]

_INSTALL = 'efface.asgi needs {name}. Install it: pip install "efface[asgi]"'
_HOMES = {
    "AccountClosing": "efface.asgi.closing",
    "Blocker": "efface.page.blocker",
    "Farewell": "efface.page.farewell",
    "Live": "efface.asgi.live",
    "LiveEvent": "efface.asgi.live",
    "TooManyTriesError": "efface.page.proof",
}

try:
    import starlette  # noqa: F401  (asked for here, so that one sentence names the extra)
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(_INSTALL.format(name=missing.name), name=missing.name) from None


def __getattr__(name: str) -> Any:
    """Load the module that holds *name*, the first time only."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(_INSTALL.format(name=missing.name), name=missing.name) from None
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return __all__
