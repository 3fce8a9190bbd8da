"""``efface check``: report each column without a rule and each impossible action."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from efface.cli.configuration import (
    DatabaseOption,
    EraserOption,
    JsonOption,
    ModelsOption,
    Settings,
)
from efface.cli.error_reporting import report_errors
from efface.cli.terminal_output import print_result, show_progress
from efface.console.command_texts import format_summary, problems_to_json
from efface.console.exit_status import Status
from efface.console.pasted_toml import problems_as_toml
from efface.errors import Problem, describe
from efface.graph.graph import build
from efface.policy.check import check as check_policy
from efface.policy.policy import Policy
from efface.policy.rules_table import format_rules
from efface.policy.schema_drift import application_schemas, compare, reflect
from efface.store.efface_tables import metadata as efface_tables


@report_errors
def check(
    *,
    eraser: EraserOption = None,
    models: ModelsOption = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="A policy as TOML.")
    ] = None,
    database: DatabaseOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")] = False,
    table: Annotated[
        bool, typer.Option("--table", help="Print every rule as a Markdown table.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Report every column without a rule and every impossible action; exit 1 if there is one.

    With --database, Efface also compares the database with the models. For CI:
    efface check --database "$DATABASE_URL" --strict
    """
    settings = Settings.find()
    # Connect only if the option names a database. With the one in the settings, each check in CI
    # would need a running database.
    with settings.engine(database) if database else nullcontext() as engine:
        loaded_policy, is_file = _policy(settings, eraser, models, policy, engine)
        if table:
            print_result(format_rules(loaded_policy))
            return
        problems = _problems(loaded_policy, engine)
    if is_file:
        problems = problems_as_toml(problems)
    errors = [each for each in problems if strict or each.level == "error"]
    if json:
        print_result(problems_to_json(problems, len(errors)))
    else:
        if problems:
            print_result(describe(problems))
        print_result(format_summary(loaded_policy, len(errors), len(problems) - len(errors)))
    raise typer.Exit(Status.REFUSED if errors else Status.DONE)


def _policy(
    settings: Settings,
    eraser: str | None,
    models: str | None,
    path: Path | None,
    engine: Engine | None,
) -> tuple[Policy, bool]:
    """Return the policy, and whether its rules are in a file.

    It is that of the eraser, or of models and a policy file if there is no eraser yet.
    """
    if eraser or not (models or path or "eraser" not in settings.values):
        return settings.eraser(eraser).policy, False
    named = settings.values.get("policy")
    file = path or (settings.folder / named if named else None)
    metadata = settings.metadata(models)
    if metadata is None and file is not None and engine is not None:
        metadata = reflect(engine, application_schemas(engine), exclude=efface_tables.tables)
    if metadata is None:
        # This raises the error that explains how to name an eraser.
        return settings.eraser(None).policy, False
    policy = Policy.from_file(file, metadata) if file else Policy.from_metadata(metadata)
    return policy, file is not None


def _problems(policy: Policy, engine: Engine | None) -> list[Problem]:
    """Return the problems of the policy and, with an *engine*, the differences of its schema."""
    problems = list(check_policy(policy))
    if any(problem.code == "E102" for problem in problems):
        # Without a user table no foreign-key path can be checked.
        return problems
    problems += build(policy)[1]
    if engine is not None:
        with show_progress("Comparing with the database"):
            problems += compare(policy, engine, own=efface_tables.tables)
    return problems
