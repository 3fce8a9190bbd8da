"""INTEGRATION · Let users of a Starlette or FastAPI site delete their accounts.

You get the section for a settings page, the page behind it, the WebSocket and CSRF protection.
`efface.asgi.csrf` is useful without the rest, so each name is loaded when you first use it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from efface.asgi.account_closing import AccountClosing
    from efface.asgi.live import Live, LiveEvent
    from efface.errors import TooManyAttemptsError
    from efface.page.blockers import Blocker
    from efface.page.confirmation_email import ConfirmationEmail

__all__ = [
    "AccountClosing",
    "Blocker",
    "ConfirmationEmail",
    "Live",
    "LiveEvent",
    "TooManyAttemptsError",
]

_INSTALL = 'efface.asgi needs {name}. Install it: pip install "efface[asgi]"'
_HOMES = {
    "AccountClosing": "efface.asgi.account_closing",
    "Blocker": "efface.page.blockers",
    "ConfirmationEmail": "efface.page.confirmation_email",
    "Live": "efface.asgi.live",
    "LiveEvent": "efface.asgi.live",
    "TooManyAttemptsError": "efface.errors",
}

try:
    import starlette  # noqa: F401  (imported here, so that one sentence names the extra)
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(_INSTALL.format(name=missing.name), name=missing.name) from None


def __getattr__(name: str) -> Any:
    """Load the module that defines *name*, the first time only."""
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
