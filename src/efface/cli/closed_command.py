"""``efface closed``: list the recorded account closures."""

from __future__ import annotations

from typing import Annotated

import typer

from efface.cli.configuration import DatabaseOption, JsonOption, Settings
from efface.cli.error_reporting import report_errors
from efface.cli.terminal_output import print_result
from efface.console.command_arguments import read_date
from efface.console.command_texts import closings_to_json, format_closings
from efface.evidence.receipt import Receipt
from efface.store.closing_records import recorded_receipts


@report_errors
def closed(
    *,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="DATE", help="Such as 2026, 2026-01 or 2026-01-31, in UTC."
        ),
    ] = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """List the recorded account closures, oldest first."""
    start = read_date(since) if since else None
    with Settings.find().engine(database) as engine, engine.connect() as connection:
        receipts = [Receipt.from_json(each) for each in recorded_receipts(connection, start)]
    print_result(closings_to_json(receipts) if json else format_closings(receipts))
