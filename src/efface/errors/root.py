"""The base of every exception of Efface."""

from __future__ import annotations

from typing import ClassVar

NOTHING_CHANGED = "Nothing was changed."


class EffaceError(Exception):
    """Base of everything Efface raises; ``code`` is stable, ``str()`` is for people.

    ``advice`` is what to do, where a class has some; a host may say it in words of its own.
    """

    code: ClassVar[str] = "E000"
    advice: str = ""

    def __str__(self) -> str:
        """Return the code and the message, one sentence first."""
        return f"{self.code} {type(self).__name__}\n  {self.message()}"

    def message(self) -> str:
        """Return the text without the code; subclasses derive it from their attributes."""
        return str(self.args[0]) if self.args else ""
