"""``efface close KEY``: close an account, commit, and search the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from efface.cli.configuration import (
    DatabaseOption,
    EraserOption,
    JsonOption,
    KeyArgument,
    Settings,
)
from efface.cli.error_reporting import complain, reporting
from efface.cli.primary_key_argument import subject_key
from efface.cli.terminal_output import say, working
from efface.console.command_arguments import actor_of, is_a_terminal, plan_in
from efface.console.command_texts import QUESTION, receipt_text, still_found
from efface.console.exit_status import Status
from efface.eraser.eraser import Eraser
from efface.plan.plan import Plan


@reporting
def close(
    key: KeyArgument,
    *,
    actor: Annotated[
        str, typer.Option("--actor", help='Who asked, such as "ticket 8114"; never a name.')
    ],
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Refuse if this plan no longer fits."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    eraser: EraserOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Close the account, then make the second pass and search the database.

    On a terminal the plan is shown first, and you are asked. Exit 4 where the search still finds
    the person outside the records that are kept: the account is closed all the same.
    """
    settings = Settings.found()
    found = settings.eraser(eraser)
    subject, read, asking = subject_key(found.policy, key), plan_in(plan), actor_of(actor)
    with settings.engine(database) as engine:
        if not yes and is_a_terminal():
            read = _asked(found, engine, subject, read)
        with working("Closing the account"), engine.begin() as connection:
            receipt = found.close_account(connection, subject, actor=asking, plan=read)
        if not receipt.already_closed:
            with working("Searching the database"), engine.begin() as connection:
                receipt = found.finalize(connection, receipt)
    say(receipt.to_json() if json else receipt_text(receipt))
    if receipt.search is not None and not receipt.search.is_clean:
        complain(still_found(receipt, receipt.search))
        raise typer.Exit(Status.EVIDENCE)


def _asked(eraser: Eraser, engine: Engine, subject: Any, plan: Plan | None) -> Plan | None:
    """Show the plan and ask; what was read is what must still fit when it is carried out."""
    with engine.connect() as connection:
        if eraser.find_receipt(connection, subject) is not None:
            # Nothing will change.
            return plan
        shown = plan or eraser.plan(connection, subject)
    typer.echo(shown.explain(), err=True)
    typer.confirm(QUESTION, abort=True, err=True)
    return shown
