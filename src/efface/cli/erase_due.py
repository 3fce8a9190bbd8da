"""``efface erase-due``: settle the closings that nobody has settled, as after a crash."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import typer

from efface.cli.output import say, working
from efface.cli.settings import DatabaseOption, EraserOption, JsonOption, Settings
from efface.cli.status import complain, reporting
from efface.command.answers import settlement_text
from efface.command.status import status_of
from efface.eraser.due import Settlement, in_turn


@reporting
def erase_due(
    *,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="The most closings that are settled.")
    ] = 100,
    eraser: EraserOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Settle what a crash left, oldest first, each closing in a transaction of its own.

    A closing of the last 15 minutes is left to whoever made it. One that fails keeps no other
    from being settled, is named on standard error, and is due again the next time.
    """
    settings = Settings.found()
    found = settings.eraser(eraser)
    settlement = Settlement((), (), 0)
    with settings.engine(database) as engine, working("Looking for what is due") as show:

        def once(failed: Collection[str]) -> Settlement:
            with engine.begin() as connection:
                return found.erase_due(connection, limit=1, leaving_out=failed)

        for settlement in in_turn(once, limit):
            done = len(settlement.receipts)
            show(f"Settled {done}, due still: {settlement.remaining}")
    say(settlement.to_json() if json else settlement_text(settlement))
    for failure in settlement.failures:
        complain(f"{failure.reference}: {failure.error}")
    if settlement.failures:
        raise typer.Exit(status_of(settlement.failures[0].error))
