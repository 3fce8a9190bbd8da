"""``efface work --once``: finalize unfinished account closures, such as after a crash."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import typer

from efface.cli.configuration import DatabaseOption, EraserOption, JsonOption, Settings
from efface.cli.error_reporting import print_error, report_errors
from efface.cli.terminal_output import print_result, show_progress
from efface.console.command_arguments import require_once
from efface.console.command_texts import format_pending_run
from efface.console.exit_status import find_status
from efface.eraser.pending_closings import PendingRun, finalize_one_by_one


@report_errors
def work(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Do the pending work once, then exit. Required.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Finalize at most this many account closures.")
    ] = 100,
    eraser: EraserOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Finalize unfinished account closures, oldest first, each in its own transaction.

    Efface skips closures of the last 15 minutes, because the process that closed them finalizes
    them. If one fails, standard error names it, the others continue, and it stays pending.
    """
    require_once(once=once)
    settings = Settings.find()
    loaded_eraser = settings.eraser(eraser)
    pending_run = PendingRun((), (), 0)
    with settings.engine(database) as engine, show_progress("Looking for pending work") as show:
        # One transaction for each closure, so an error rolls back only that one.
        def finalize_one(failed: Collection[str]) -> PendingRun:
            with engine.begin() as connection:
                return loaded_eraser.run_pending(connection, limit=1, exclude=failed)

        for pending_run in finalize_one_by_one(finalize_one, limit):
            done = len(pending_run.receipts)
            show(f"Finalized {done}, still pending: {pending_run.remaining}")
    print_result(pending_run.to_json() if json else format_pending_run(pending_run))
    for failure in pending_run.failures:
        print_error(f"{failure.reference}: {failure.error}")
    if pending_run.failures:
        raise typer.Exit(find_status(pending_run.failures[0].error))
