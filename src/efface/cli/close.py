"""``efface close KEY``: close an account, commit, and search the database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from efface.cli.keys import subject_key
from efface.cli.output import receipt_text, say, working
from efface.cli.settings import (
    DatabaseOption,
    EraserOption,
    JsonOption,
    KeyArgument,
    Settings,
)
from efface.cli.status import Status, reporting
from efface.eraser import Eraser
from efface.errors import SettingsError
from efface.plan.steps import Plan


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
    subject, read = subject_key(found.policy, key), _read(plan)
    with settings.engine(database) as engine:
        if not yes and sys.stdin.isatty():
            read = _asked(found, engine, subject, read)
        with working("Closing the account"), engine.begin() as connection:
            receipt = found.close_account(connection, subject, actor=actor, plan=read)
        if not receipt.already_closed:
            with working("Searching the database"), engine.begin() as connection:
                receipt = found.settle(connection, receipt)
    say(receipt.to_json() if json else receipt_text(receipt))
    if receipt.search is not None and not receipt.search.is_clean:
        raise typer.Exit(Status.EVIDENCE)


def _read(path: Path | None) -> Plan | None:
    if path is None:
        return None
    try:
        return Plan.from_json(path.read_text(encoding="utf-8"))
    except OSError:
        raise SettingsError(f"The plan {path} cannot be opened.") from None
    except (KeyError, TypeError, ValueError):
        raise SettingsError(f"{path} is not a plan as efface plan --json prints it.") from None


def _asked(eraser: Eraser, engine: Engine, subject: Any, plan: Plan | None) -> Plan:
    """Show the plan and ask; what was read is what must still fit when it is carried out."""
    with engine.connect() as connection:
        shown = plan or eraser.plan(connection, subject)
    typer.echo(shown.explain(), err=True)
    typer.confirm("Close this account? What goes does not come back.", abort=True, err=True)
    return shown
