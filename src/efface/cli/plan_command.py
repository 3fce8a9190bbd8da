"""``efface plan KEY``: what closing an account would do now."""

from __future__ import annotations

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
from efface.console.command_texts import closed_before


@reporting
def plan(
    key: KeyArgument,
    *,
    eraser: EraserOption = None,
    database: DatabaseOption = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements for reviewers.")] = False,
    json: JsonOption = False,
) -> None:
    """Print what closing the account would do; nothing is changed.

    The JSON can be kept, read by somebody, and given to: efface close KEY --plan FILE
    """
    settings = Settings.found()
    found = settings.eraser(eraser)
    subject = subject_key(found.policy, key)
    with settings.engine(database) as engine, engine.connect() as connection:
        if sql:
            say(";\n\n".join(found.statements(connection)) + ";")
            return
        first = found.find_receipt(connection, subject)
        with working("Counting rows"):
            made = found.plan(connection, subject)
    if first is None:
        say(made.to_json() if json else made.explain())
    elif json:
        complain(closed_before(first))
        say(made.to_json())
    else:
        say(closed_before(first))
