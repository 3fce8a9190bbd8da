"""``efface plan PK``: print what closing an account would do now."""

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
from efface.cli.error_reporting import print_error, report_errors
from efface.cli.primary_key_argument import parse_primary_key
from efface.cli.terminal_output import print_result, show_progress
from efface.console.command_texts import format_already_closed


@report_errors
def plan(
    key: KeyArgument,
    *,
    eraser: EraserOption = None,
    database: DatabaseOption = None,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the SQL statements, without values.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Print what closing the account would do, without changing anything.

    To close the account only as planned, keep the JSON, and use: efface close PK --plan FILE
    """
    settings = Settings.find()
    loaded_eraser = settings.eraser(eraser)
    subject = parse_primary_key(loaded_eraser.policy, key)
    with settings.engine(database) as engine, engine.connect() as connection:
        if sql:
            print_result(";\n\n".join(loaded_eraser.statements(connection)) + ";")
            return
        receipt = loaded_eraser.find_receipt(connection, subject)
        with show_progress("Counting rows"):
            new_plan = loaded_eraser.plan(connection, subject)
    if receipt is None:
        print_result(new_plan.to_json() if json else new_plan.explain())
    elif json:
        print_error(format_already_closed(receipt))
        print_result(new_plan.to_json())
    else:
        print_result(format_already_closed(receipt))
