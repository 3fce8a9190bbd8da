"""``efface erase-again``: carry out today's rules for accounts that were closed earlier."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from efface.cli.adopt_command import (
    ActorOption,
    YesOption,
    confirm,
    next_keys,
    report,
    run_each,
)
from efface.cli.configuration import DatabaseOption, EraserOption, JsonOption, Settings
from efface.cli.error_reporting import report_errors
from efface.cli.primary_key_argument import parse_primary_key
from efface.cli.terminal_output import print_result
from efface.console.command_arguments import read_recorded
from efface.console.command_texts import format_receipt
from efface.console.earlier_accounts import format_run, format_unrepeatable, read_before
from efface.errors import SettingsError
from efface.evidence.receipt import Receipt
from efface.execute.retries import retried


@report_errors
def erase_again(
    key: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PK...]", help="The user's primary key, part by part."),
    ] = None,
    *,
    before: Annotated[
        str | None,
        typer.Option(
            "--before", metavar="DATE", help="All accounts that Efface closed before DATE, in UTC."
        ),
    ] = None,
    actor: ActorOption,
    yes: YesOption = False,
    eraser: EraserOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Carry out today's rules for an account that Efface closed earlier, or for all before DATE.

    Use it after you have added a rule. The identifiers of these users are gone, so Efface can't
    look for them in texts any more, and says so.
    """
    settings = Settings.find()
    loaded_eraser = settings.eraser(eraser)
    actor_text = read_recorded("--actor", actor)
    if bool(key) == (before is not None):
        raise SettingsError("Name one account by its primary key, or all with --before DATE.")
    subject = parse_primary_key(loaded_eraser.policy, key) if key else None
    moment = None if before is None else read_before(before)
    with settings.engine(database) as engine:

        def erase(pk: Any) -> Receipt:
            def in_transaction() -> Receipt:
                with engine.begin() as connection:
                    return loaded_eraser.erase_again(connection, pk, actor=actor_text)

            return retried(in_transaction)

        if moment is None:
            receipt = erase(subject)
            print_result(receipt.to_json() if json else format_receipt(receipt))
            typer.echo(format_unrepeatable(loaded_eraser.unrepeatable()), err=True)
            return
        confirm(yes=yes)
        keys = next_keys(loaded_eraser, engine, before=moment, recorded=True)
        run = run_each(keys, erase, None)
    print_result(run.to_json() if json else format_run(run, loaded_eraser.unrepeatable()))
    report(run)
