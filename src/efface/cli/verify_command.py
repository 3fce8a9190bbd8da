"""``efface verify PK``: search the database for identifiers of a user."""

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
from efface.cli.error_reporting import print_error, report_errors
from efface.cli.primary_key_argument import parse_primary_key
from efface.cli.terminal_output import print_result, show_progress
from efface.console.command_arguments import read_identifiers
from efface.console.command_texts import format_missing_row, format_search, search_to_json
from efface.console.exit_status import Status
from efface.errors import UnknownSubjectError


@report_errors
def verify(
    key: KeyArgument,
    *,
    identifiers: Annotated[
        Path,
        typer.Option(
            "--identifiers",
            metavar="FILE",
            help='One identifier per line; "-" reads standard input.',
        ),
    ],
    eraser: EraserOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Search every text and JSON column for the identifiers in FILE; exit 4 if one is found.

    Efface reads them from a file, because the shell keeps command lines in its history and every
    user of the machine can see them. It reports tables, columns and numbers of rows.
    """
    settings = Settings.find()
    loaded_eraser = settings.eraser(eraser)
    subject, lines = parse_primary_key(loaded_eraser.policy, key), read_identifiers(identifiers)
    with settings.engine(database) as engine, engine.connect() as connection:
        # The user's row may be deleted while identifiers remain elsewhere, so search in any case.
        try:
            loaded_eraser.find_receipt(connection, subject)
        except UnknownSubjectError:
            print_error(format_missing_row(loaded_eraser.policy))
        with show_progress("Searching the database"):
            search = loaded_eraser.verify(connection, subject, lines)
    print_result(search_to_json(search) if json else format_search(search))
    raise typer.Exit(Status.DONE if search.is_clean else Status.EVIDENCE)
