"""``efface check``: everything that is undecided or impossible, at once."""

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
from efface.cli.error_reporting import reporting
from efface.cli.terminal_output import say, working
from efface.console.command_texts import problems_json, problems_summary
from efface.console.exit_status import Status
from efface.errors import Problem, describe
from efface.graph.graph import build
from efface.policy.check import check as check_policy
from efface.policy.policy import Policy
from efface.policy.rules_table import overview
from efface.policy.schema_drift import compare, reflect
from efface.store.efface_tables import metadata as own


@reporting
def check(
    *,
    eraser: EraserOption = None,
    models: ModelsOption = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="A policy as TOML.")
    ] = None,
    database: DatabaseOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are errors.")] = False,
    table: Annotated[
        bool, typer.Option("--table", help="Print every decision as a Markdown table.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Report every undecided column and every impossible action; exit 1 where there is one.

    With --database, the live schema is compared with the models as well. For CI:
    efface check --database "$DATABASE_URL" --strict
    """
    settings = Settings.found()
    # The database is asked where somebody names it: settings alone must not slow every check down.
    with settings.engine(database) if database else nullcontext() as engine:
        decided = _policy(settings, eraser, models, policy, engine)
        if table:
            say(overview(decided))
            return
        problems = _problems(decided, engine)
    errors = [each for each in problems if strict or each.level == "error"]
    if json:
        say(problems_json(problems, len(errors)))
    else:
        if problems:
            say(describe(problems))
        say(problems_summary(decided, len(errors), len(problems) - len(errors)))
    raise typer.Exit(Status.REFUSED if errors else Status.DONE)


def _policy(
    settings: Settings,
    eraser: str | None,
    models: str | None,
    path: Path | None,
    engine: Engine | None,
) -> Policy:
    """Return the policy of the eraser, or of models and a file before there is an eraser."""
    if eraser or not (models or path or "eraser" not in settings.values):
        return settings.eraser(eraser).policy
    named = settings.values.get("policy")
    file = path or (settings.folder / named if named else None)
    metadata = settings.metadata(models)
    if metadata is None and file is not None and engine is not None:
        metadata = reflect(engine, exclude=own.tables)
    if metadata is None:
        # Says what could be named, and how.
        return settings.eraser(None).policy
    return Policy.from_file(file, metadata) if file else Policy.from_metadata(metadata)


def _problems(policy: Policy, engine: Engine | None) -> list[Problem]:
    problems = list(check_policy(policy))
    if any(problem.code == "E102" for problem in problems):
        # Without people there is nothing that a link could lead to.
        return problems
    problems += build(policy)[1]
    if engine is not None:
        with working("Comparing with the database"):
            problems += compare(policy, engine, own=own.tables)
    return problems
