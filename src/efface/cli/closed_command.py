"""``efface closed``: the closings that are recorded."""

from __future__ import annotations

from typing import Annotated

import typer

from efface.cli.configuration import DatabaseOption, JsonOption, Settings
from efface.cli.error_reporting import reporting
from efface.cli.terminal_output import say
from efface.console.command_arguments import moment_of
from efface.console.command_texts import closings_json, closings_text
from efface.evidence.receipt import Receipt
from efface.store.closing_records import recorded_receipts


@reporting
def closed(
    *,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DATE", help="As 2026, 2026-01 or 2026-01-31, in UTC."),
    ] = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """List the closings that are recorded, oldest first."""
    start = moment_of(since) if since else None
    with Settings.found().engine(database) as engine, engine.connect() as connection:
        receipts = [Receipt.from_json(each) for each in recorded_receipts(connection, start)]
    say(closings_json(receipts) if json else closings_text(receipts))
