"""``efface adopt``: erase the accounts that were soft-deleted before you used Efface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from efface.cli.configuration import DatabaseOption, EraserOption, JsonOption, Settings
from efface.cli.error_reporting import print_error, report_errors
from efface.cli.terminal_output import print_result, show_progress
from efface.console.command_arguments import is_terminal, read_recorded
from efface.console.earlier_accounts import (
    QUESTION,
    EarlierRun,
    erase_one_by_one,
    format_preview,
    format_run,
    read_before,
    require_answer,
)
from efface.console.exit_status import Status, find_status
from efface.eraser.eraser import Eraser
from efface.evidence.receipt import Receipt
from efface.execute.retries import retried

BeforeOption = Annotated[
    str,
    typer.Option("--before", metavar="DATE", help="Such as 2026, 2026-01 or 2026-01-31, in UTC."),
]
ActorOption = Annotated[
    str, typer.Option("--actor", help='Who asked, such as "ticket 8114". Never a name.')
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@report_errors
def adopt(
    *,
    before: BeforeOption,
    actor: ActorOption,
    yes: YesOption = False,
    eraser: EraserOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Erase the accounts that were soft-deleted before DATE, and before you used Efface.

    Efface first shows how many rows change at most, and asks you. Each account has its own
    transaction. If one fails, standard error says why, the others continue, and the next run tries
    it again.
    """
    settings = Settings.find()
    loaded_eraser = settings.eraser(eraser)
    moment, actor_text = read_before(before), read_recorded("--actor", actor)
    with settings.engine(database) as engine:
        with engine.connect() as connection:
            preview = loaded_eraser.preview_adoption(connection, before=moment)
        typer.echo(format_preview(preview, moment), err=True)
        run = EarlierRun()
        if preview.accounts:
            confirm(yes=yes)

            def adopt_one(key: Any) -> Receipt:
                def in_transaction() -> Receipt:
                    with engine.begin() as connection:
                        return loaded_eraser.adopt(connection, key, actor=actor_text)

                receipt = retried(in_transaction)
                with engine.begin() as connection:
                    return loaded_eraser.finalize(connection, receipt)

            keys = next_keys(loaded_eraser, engine, before=moment, recorded=False)
            run = run_each(keys, adopt_one, preview.accounts)
    print_result(run.to_json() if json else format_run(run))
    report(run)


def confirm(*, yes: bool) -> None:
    """Ask on a terminal, and leave if the answer is no."""
    require_answer(yes=yes, is_terminal=is_terminal())
    if not yes:
        typer.confirm(QUESTION, abort=True, err=True)


def next_keys(eraser: Eraser, engine: Engine, **options: Any) -> Callable[[Any], Sequence[Any]]:
    """Return a function that reads the next page of accounts in a transaction of its own."""

    def read(after: Any) -> Sequence[Any]:
        with engine.connect() as connection:
            return eraser.find_closed(connection, after=after, **options)

    return read


def run_each(
    keys: Callable[[Any], Sequence[Any]], erase: Callable[[Any], Receipt], total: int | None
) -> EarlierRun:
    """Erase one account after the other, and show how many are done."""
    run, of = EarlierRun(), "" if total is None else f" of {total}"
    with show_progress("Erasing accounts") as show:
        for run in erase_one_by_one(keys, erase):
            show(f"Erased {run.accounts}{of}, failed: {len(run.failures)}")
    return run


def report(run: EarlierRun) -> None:
    """Print what failed, and leave with its exit status."""
    for name, error in run.failures:
        print_error(f"{name}: {error}")
    if run.failures:
        raise typer.Exit(find_status(run.failures[0][1]))
    if run.unclean:
        raise typer.Exit(Status.EVIDENCE)
