"""``efface close PK``: close an account, commit, and search the database."""

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
from efface.cli.error_reporting import print_error, report_errors
from efface.cli.primary_key_argument import parse_primary_key
from efface.cli.terminal_output import print_result, show_progress
from efface.console.command_arguments import is_terminal, read_plan, read_recorded
from efface.console.command_texts import QUESTION, format_receipt, format_search_warning
from efface.console.exit_status import Status
from efface.eraser.eraser import Eraser
from efface.evidence.receipt import Receipt
from efface.execute.retries import retried
from efface.plan.plan import Plan


@report_errors
def close(
    key: KeyArgument,
    *,
    actor: Annotated[
        str, typer.Option("--actor", help='Who asked, such as "ticket 8114". Never a name.')
    ],
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Refuse if this plan no longer matches."),
    ] = None,
    override_blockers: Annotated[
        str | None,
        typer.Option(
            "--override-blockers",
            metavar="REASON",
            help="Close the account in spite of blockers, and record why.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    eraser: EraserOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Close the account, then run the post-commit pass and search the database.

    On a terminal, Efface first shows the plan and asks you. It exits with 4 if the search still
    finds an identifier outside the kept records. The account is closed in that case, too.
    """
    settings = Settings.find()
    loaded_eraser = settings.eraser(eraser)
    subject, reviewed_plan, actor_text = (
        parse_primary_key(loaded_eraser.policy, key),
        read_plan(plan),
        read_recorded("--actor", actor),
    )
    override = override_blockers
    if override is not None:
        override = read_recorded("--override-blockers", override)
    with settings.engine(database) as engine:
        # A script without a terminal cannot answer.
        if not yes and is_terminal():
            reviewed_plan = _confirm(loaded_eraser, engine, subject, reviewed_plan)
        options = {
            "actor": actor_text, "plan": reviewed_plan, "override_blockers": override
        }  # fmt: skip
        receipt = _close_and_finalize(loaded_eraser, engine, subject, options)
    print_result(receipt.to_json() if json else format_receipt(receipt))
    if receipt.search is not None and not receipt.search.is_clean:
        print_error(format_search_warning(receipt, receipt.search))
        raise typer.Exit(Status.EVIDENCE)


def _close_and_finalize(
    eraser: Eraser, engine: Engine, subject: Any, options: dict[str, Any]
) -> Receipt:
    def close_account() -> Receipt:
        with engine.begin() as connection:
            return eraser.close_account(connection, subject, **options)

    with show_progress("Closing the account"):
        receipt = retried(close_account)
    # In a transaction of its own, so an error here does not undo the closure.
    if not receipt.already_closed:
        with show_progress("Searching the database"), engine.begin() as connection:
            receipt = eraser.finalize(connection, receipt)
    return receipt


def _confirm(eraser: Eraser, engine: Engine, subject: Any, plan: Plan | None) -> Plan | None:
    """Show the plan and ask for confirmation. Return the plan that the closure must match."""
    with engine.connect() as connection:
        if eraser.find_receipt(connection, subject) is not None:
            # The closure will return the first receipt and change nothing.
            return plan
        shown = plan or eraser.plan(connection, subject)
    typer.echo(shown.explain(), err=True)
    typer.confirm(QUESTION, abort=True, err=True)
    return shown
