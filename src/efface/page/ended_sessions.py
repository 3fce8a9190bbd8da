"""Tell a visitor who is not logged in from a user whose account was just deleted.

Neither is recognized. The session of the user is cleared. That of the visitor may contain where
to go after the login, so it is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable

FORM_SHOWN = "_efface_form_shown"
"""In a session in which a logged-in user saw the form."""


def has_data_of_the_site(keys: Iterable[str], ours: Iterable[str]) -> bool:
    """Tell whether a session has keys besides *ours*, such as a path to return to."""
    return not set(keys) <= {FORM_SHOWN, *ours}
