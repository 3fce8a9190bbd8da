"""Collect the commands, each from its own module."""

from __future__ import annotations

import typer

from efface.cli.adopt_command import adopt
from efface.cli.check_command import check
from efface.cli.close_command import close
from efface.cli.closed_command import closed
from efface.cli.draft_command import draft
from efface.cli.erase_again_command import erase_again
from efface.cli.plan_command import plan
from efface.cli.verify_command import verify
from efface.cli.work_command import work

# Typer's pretty tracebacks print local variables, which can contain personal values.
app = typer.Typer(
    help="Close accounts. Keep records. Prove it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (draft, check, plan, close, verify, closed, work, adopt, erase_again):
    app.command()(command)
