"""The root of every exception of Efface, and the address of the documentation."""

from __future__ import annotations

from typing import ClassVar

NOTHING_CHANGED = "Nothing was changed."
DOCUMENTATION = "https://efface.invalid/docs"
"""Its address, as in ``[project.urls]``, because an installed package has no docs folder."""


class EffaceError(Exception):
    """Root of everything Efface raises.

    ``code`` is stable. ``str()`` is for developers: the code, the message, and the address of the
    page about the code. ``message()`` is the text alone. ``advice`` is the next step, if a class
    has one; an integration may replace it.
    """

    code: ClassVar[str] = "E000"
    advice: str = ""

    def __str__(self) -> str:
        """Return the code, the message, and the address of the code in the documentation."""
        return f"{self.code} {type(self).__name__}\n  {self.message().rstrip()}\n  {self.address}"

    @property
    def address(self) -> str:
        """Return where the documentation explains this code."""
        return f"{DOCUMENTATION}/reference/errors.md#{self.code.lower()}"

    def message(self) -> str:
        """Return the text without the code; subclasses derive it from their attributes."""
        return str(self.args[0]) if self.args else ""
