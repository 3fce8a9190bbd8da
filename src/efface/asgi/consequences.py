"""HOST · What a plan means to the person it is about: what goes, and what stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from efface.plan.steps import Plan, Step


@dataclass(frozen=True)
class Consequences:
    """Two lists of short lines for the dialog."""

    goes: tuple[str, ...]
    stays: tuple[str, ...]


def consequences_of(plan: Plan, words: Mapping[str, str]) -> Consequences:
    """Return the plan in the words of the person's page.

    *words* gives tables and columns (``"users_tokens"``, ``"posts.body"``) the names
    people know; without one, the name itself is spelled with spaces.
    """
    goes: list[str] = []
    stays: list[str] = []
    for step in plan.steps:
        reached = step.rows if step.reached is None else step.reached
        if not reached:
            continue
        what = f"{_word(words, step.table)} ({reached})"
        if step.action == "revoke":
            goes.append(f"every signed-in device and every link we have mailed you: {what}")
        elif step.table == plan.table and step.action == "redact":
            goes.append(f"your account: {_columns(words, step)}")
            stays.append("an empty entry without your data, so that other records stay whole")
        elif step.action == "delete":
            goes.append("your account" if step.table == plan.table else what)
        elif step.until is not None:
            reason = f", because of {step.because}" if step.because else ""
            stays.append(f"{what} until {step.until.day} {step.until:%B %Y}{reason}")
        else:
            without = f", without your data in {_columns(words, step)}" if step.columns else ""
            stays.append(f"{what}{without}")
    return Consequences(tuple(goes), tuple(stays))


def _columns(words: Mapping[str, str], step: Step) -> str:
    return ", ".join(_word(words, column, step.table) for column in step.columns)


def _word(words: Mapping[str, str], name: str, table: str | None = None) -> str:
    known = f"{table}.{name}" if table else name
    return words.get(known, name.replace("_", " "))
