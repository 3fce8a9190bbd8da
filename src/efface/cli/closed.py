"""``efface closed``: the closings that are recorded."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy import Connection, select

from efface.cli.output import closing_line, say, say_json
from efface.cli.settings import DatabaseOption, JsonOption, Settings
from efface.cli.status import reporting
from efface.errors import SettingsError
from efface.evidence.receipt import Receipt
from efface.store.tables import closings

FORMATS = ("%Y", "%Y-%m", "%Y-%m-%d")


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
    start = _moment(since) if since else None
    with Settings.found().engine(database) as engine, engine.connect() as connection:
        receipts = list(_receipts(connection, start))
    if json:
        say_json([json_module.loads(receipt.to_json()) for receipt in receipts])
        return
    for receipt in receipts:
        say(closing_line(receipt))
    say("1 closing." if len(receipts) == 1 else f"{len(receipts)} closings.")


def _receipts(connection: Connection, start: datetime | None) -> Iterator[Receipt]:
    query = select(closings.c.receipt).order_by(closings.c.closed_at, closings.c.id)
    if start is not None:
        query = query.where(closings.c.closed_at >= start)
    for text in connection.scalars(query):
        yield Receipt.from_json(text)


def _moment(text: str) -> datetime:
    for each in FORMATS:
        try:
            return datetime.strptime(text, each).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise SettingsError(f"--since takes a date as 2026, 2026-01 or 2026-01-31, not {text}.")
