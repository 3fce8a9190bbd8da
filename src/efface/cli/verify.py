"""``efface verify KEY``: search the database for identifiers of a person who left."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from efface.cli.keys import subject_key
from efface.cli.output import say, say_json, working
from efface.cli.settings import (
    DatabaseOption,
    EraserOption,
    JsonOption,
    KeyArgument,
    Settings,
)
from efface.cli.status import Status, reporting
from efface.errors import SettingsError
from efface.evidence.residue import Search


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
    subject, lines = subject_key(found.policy, key), _lines(identifiers)
    with (
        settings.engine(database) as engine,
        engine.connect() as connection,
        working("Searching the database"),
    ):
        search = found.verify(connection, subject, lines)
    if json:
        say_json({**asdict(search), "is_clean": search.is_clean})
    else:
        say(_text(search))
    raise typer.Exit(Status.DONE if search.is_clean else Status.EVIDENCE)


def _lines(path: Path) -> list[str]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"The file {path} cannot be read as text.") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise SettingsError(f"{path} holds no identifiers; write one a line.")
    return lines


def _text(search: Search) -> str:
    lines = [search.summary()]
    lines += [f"  found   {f.table}.{f.column}: {f.rows}" for f in search.findings]
    lines += [f"  kept    {f.table}.{f.column}: {f.rows}" for f in search.kept]
    if search.skipped:
        lines.append(f"  {search.skipped} too short to be searched for")
    return "\n".join(lines)
