"""``efface closed``: the closings that are recorded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy import Connection, select

from efface.cli.output import say
from efface.cli.settings import DatabaseOption, JsonOption, Settings
from efface.cli.status import reporting
from efface.command.answers import closings_json, closings_text
from efface.command.arguments import moment_of
from efface.evidence.receipt import Receipt
from efface.store.tables import closings


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
        receipts = list(_receipts(connection, start))
    say(closings_json(receipts) if json else closings_text(receipts))


def _receipts(connection: Connection, start: datetime | None) -> Iterator[Receipt]:
    query = select(closings.c.receipt).order_by(closings.c.closed_at, closings.c.id)
    if start is not None:
        query = query.where(closings.c.closed_at >= start)
    for text in connection.scalars(query):
        yield Receipt.from_json(text)
