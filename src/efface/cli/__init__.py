"""INTEGRATION · The command line: ``efface draft``, ``check``, ``plan``, ``close`` and more."""

from __future__ import annotations

import sys

from efface.errors import MissingExtraError

EXTRA = frozenset({"rich", "typer"})


def main() -> None:
    """Run the command line. If its packages are missing, print how to install them."""
    try:
        from efface.cli.app import app  # noqa: PLC0415  # so that the sentence can be said
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        sys.stderr.write(f"{MissingExtraError('The command line', 'cli')}\n")
        sys.exit(2)
    app()
