"""What is wrong with a policy, or with the file or schema it is read from; E1xx and E2xx."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from efface.errors.root import NOTHING_CHANGED, EffaceError

LISTED = 5
"""How many places the first sentence of a message names; the rest is listed below it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem that `check` found: where, what is wrong, and the lines that fix it.

    A warning (``level="warning"``, codes W…) doesn't stop anything, unless you use ``--strict``.
    """

    code: str
    table: str
    column: str | None
    text: str
    paste: str = ""
    level: Literal["error", "warning"] = "error"

    @property
    def place(self) -> str:
        """Return ``table`` or ``table.column``."""
        return self.table if self.column is None else f"{self.table}.{self.column}"


class PolicyError(EffaceError):
    """Efface can't follow the policy; ``problems`` lists everything that is wrong."""

    code = "E100"

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep *problems*; the text is grouped by table."""
        super().__init__()
        self.problems = tuple(problems)

    def message(self) -> str:
        """Return every problem, grouped by table, each with the lines to paste."""
        head = self.headline()
        return f"{head}\n\n{describe(self.problems)}\n  {NOTHING_CHANGED}"

    def headline(self) -> str:
        """Return the first sentence."""
        return f"Efface can't follow the policy: {_listed([p.place for p in self.problems])}."


class IncompletePolicyError(PolicyError):
    """A column or a table has no rule, so no account can be closed."""

    code = "E101"

    def headline(self) -> str:
        """Return the first sentence, which names the columns and tables."""
        missing = [problem.place for problem in self.problems if problem.code == self.code]
        verb = "has" if len(missing) == 1 else "have"
        return (
            f"{_listed(missing)} {verb} no rule. "
            "No account can be closed until every column has a rule."
        )


class SubjectTableError(PolicyError):
    """No table, or more than one, has the rule data_subject()."""

    code = "E102"


class ImpossibleActionError(PolicyError):
    """An action is not possible on its column or table."""

    code = "E103"


class ConflictingRulesError(PolicyError):
    """A column or table has two rules that exclude each other."""

    code = "E104"


class MissingDeletedAtError(PolicyError):
    """The users' table has no column that marks a closed account."""

    code = "E105"


class NoRelationshipError(PolicyError):
    """A relationship names something that doesn't exist, or doesn't lead to the users."""

    code = "E201"


class AmbiguousRelationshipError(PolicyError):
    """A relationship can continue in several ways and doesn't say in which."""

    code = "E202"


class LostRelationshipError(PolicyError):
    """Rows are kept, but the rows that they refer to are deleted."""

    code = "E203"


class CircularReferencesError(PolicyError):
    """Tables refer to each other in a circle, and the rows of none of them can be deleted first."""

    code = "E204"


class UnknownSchemaError(PolicyError):
    """The database has tables or columns that the policy has no rule for."""

    code = "E108"

    def headline(self) -> str:
        """Return the first sentence, which names the tables and columns."""
        places = _listed([problem.place for problem in self.problems])
        return (
            f"The database has tables or columns without a rule: {places}. "
            "No account can be closed until each of them has a rule."
        )


class PolicyFileError(PolicyError):
    """A policy file names something that does not exist."""

    code = "E106"

    def __init__(self, path: str, problems: Sequence[Problem]) -> None:
        """Keep the *path* of the file and each problem in it."""
        super().__init__(problems)
        self.path = path

    def headline(self) -> str:
        """Return the first sentence."""
        unknown = _listed(list(dict.fromkeys(problem.place for problem in self.problems)))
        return f"{self.path} is not a valid policy: {unknown}."


class UnreadableFileError(EffaceError):
    """A file is not TOML, or ends too early."""

    code = "E107"

    def __init__(self, path: str, line: int) -> None:
        """Keep the *line* at which reading stopped; its text is not repeated."""
        super().__init__()
        self.path, self.line = path, line

    def message(self) -> str:
        """Return the file and the line."""
        return (
            f"{self.path} is not valid TOML at line {self.line}. {NOTHING_CHANGED} Look there for "
            "a missing bracket, quotation mark or value."
        )


class RuleArgumentError(EffaceError, ValueError):
    """A rule, a relationship or a preset was given a value that it can't use."""

    code = "E109"


class RulePlacementError(EffaceError, TypeError):
    """A rule for tables was added to a column, or a rule for columns to a table."""

    code = "E110"

    def __init__(self, rule: str, place: str, found: str) -> None:
        """Keep the *rule*, the *place* where it belongs, and the one where it was *found*."""
        super().__init__()
        self.rule, self.place, self.found = rule, place, found

    def message(self) -> str:
        """Return where the rule belongs."""
        where = "__table_args__ of the model" if self.place == "table" else "mapped_column(...)"
        return (
            f"{self.rule} is a rule for a {self.place}, but it was added to a {self.found}. "
            f"{NOTHING_CHANGED} Move it to the {where}."
        )


def _listed(places: Sequence[str]) -> str:
    more = f" and {len(places) - LISTED} more" if len(places) > LISTED else ""
    return ", ".join(places[:LISTED]) + more


def raise_problems(problems: Sequence[Problem]) -> None:
    """Raise the error class of the first problem with all of them; return if there is none.

    Warnings alone don't raise, and the message leaves them out.
    """
    problems = [problem for problem in problems if problem.level == "error"]
    if not problems:
        return
    classes: tuple[type[PolicyError], ...] = (
        IncompletePolicyError,
        SubjectTableError,
        ImpossibleActionError,
        ConflictingRulesError,
        MissingDeletedAtError,
        UnknownSchemaError,
        NoRelationshipError,
        AmbiguousRelationshipError,
        LostRelationshipError,
        CircularReferencesError,
    )
    by_code = {cls.code: cls for cls in classes}
    raise by_code.get(min(problem.code for problem in problems), PolicyError)(problems)


def describe(problems: Sequence[Problem]) -> str:
    """Return *problems* as text, grouped by table, in blocks ready to paste."""
    lines: list[str] = []
    table = None
    for problem in sorted(problems, key=lambda p: (p.table, p.column or "", p.code)):
        if problem.table != table:
            table = problem.table
            lines.append(f"  {table}")
        lines.append(f"    {problem.code} {problem.text}")
        lines.extend(f"        {line}" for line in problem.paste.splitlines())
    return "\n".join(lines) + "\n"
