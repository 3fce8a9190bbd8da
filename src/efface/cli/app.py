"""The commands, each from a file of its own."""

from __future__ import annotations

import typer

from efface.cli.check import check
from efface.cli.close import close
from efface.cli.closed import closed
from efface.cli.draft import draft
from efface.cli.erase_due import erase_due
from efface.cli.plan import plan
from efface.cli.verify import verify

# Pretty tracebacks print local variables, and those hold what must not be printed.
app = typer.Typer(
    help="Close accounts. Keep records. Prove it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (draft, check, plan, close, verify, closed, erase_due):
    app.command()(command)
