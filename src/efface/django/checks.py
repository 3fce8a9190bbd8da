"""What `manage.py check` says: everything undecided or impossible, with the line to paste."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.db import connections

from efface.django import settings
from efface.django.closing import home, problems
from efface.errors import AutocommitOffError, EffaceError, PolicyError, Problem


def check_policy(**_: Any) -> list[checks.CheckMessage]:
    """Return a message for each problem; the codes are those of the errors at run time."""
    try:
        settings.page()
        return [_message(problem) for problem in problems(home())]
    except PolicyError as error:
        return [_message(problem) for problem in error.problems]
    except EffaceError as error:
        return [checks.Error(error.message(), id=f"efface.{error.code}")]


def check_transactions(**_: Any) -> list[checks.CheckMessage]:
    """Return an error where the end of a block of Django's would commit no closing."""
    alias = home()
    if connections[alias].settings_dict["AUTOCOMMIT"]:
        return []
    error = AutocommitOffError(alias)
    line = f'DATABASES["{alias}"]["AUTOCOMMIT"] = True'
    return [checks.Error(error.message(), hint=line, id=f"efface.{error.code}")]


def _message(problem: Problem) -> checks.CheckMessage:
    kind = checks.Error if problem.level == "error" else checks.Warning
    return kind(
        problem.text, hint=problem.paste or None, obj=problem.place, id=f"efface.{problem.code}"
    )
