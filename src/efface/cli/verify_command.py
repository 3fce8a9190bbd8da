"""``efface verify KEY``: search the database for identifiers of a person who left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from efface.cli.configuration import (
    DatabaseOption,
    EraserOption,
    JsonOption,
    KeyArgument,
    Settings,
)
from efface.cli.error_reporting import complain, reporting
from efface.cli.primary_key_argument import subject_key
from efface.cli.terminal_output import say, working
from efface.console.command_arguments import identifiers_in
from efface.console.command_texts import no_such_row, search_json, search_text
from efface.console.exit_status import Status
from efface.errors import UnknownSubjectError


@reporting
def verify(
    key: KeyArgument,
    *,
    identifiers: Annotated[
        Path,
        typer.Option(
            "--identifiers", metavar="FILE", help='One identifier a line; "-" reads standard input.'
        ),
    ],
    eraser: EraserOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Search every text and JSON column for the identifiers in FILE; exit 4 where one is found.

    They are read from a file, because a command line stays in the history of the shell and is
    shown to everybody on the machine. What is found is reported by table, column and rows.
    """
    settings = Settings.found()
    found = settings.eraser(eraser)
    subject, lines = subject_key(found.policy, key), identifiers_in(identifiers)
    with settings.engine(database) as engine, engine.connect() as connection:
        try:
            found.find_receipt(connection, subject)
        except UnknownSubjectError:
            complain(no_such_row(found.policy))
        with working("Searching the database"):
            search = found.verify(connection, subject, lines)
    say(search_json(search) if json else search_text(search))
    raise typer.Exit(Status.DONE if search.is_clean else Status.EVIDENCE)
