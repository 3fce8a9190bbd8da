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
    """One thing `check` found: where, what is the matter, and the lines that mend it.

    A warning (``level="warning"``, codes W…) stops nothing unless somebody asks for strictness.
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
    """The policy cannot be carried out; ``problems`` lists everything at once."""

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
        return f"The policy cannot be carried out: {_listed([p.place for p in self.problems])}."


class IncompletePolicyError(PolicyError):
    """A column or a table is undecided, so nothing runs."""

    code = "E101"

    def headline(self) -> str:
        """Return the first sentence, naming what is undecided."""
        undecided = [problem.place for problem in self.problems if problem.code == self.code]
        verb = "is" if len(undecided) == 1 else "are"
        return (
            f"{_listed(undecided)} {verb} undecided. "
            "No account can be closed until every column has a rule."
        )


class SubjectTableError(PolicyError):
    """Not exactly one table is marked with data_subject()."""

    code = "E102"


class ImpossibleActionError(PolicyError):
    """An action cannot be carried out on its column or table."""

    code = "E103"


class ConflictingRulesError(PolicyError):
    """One column or table is decided twice."""

    code = "E104"


class MissingDeletedAtError(PolicyError):
    """The subject's table lacks the column that marks a closed account."""

    code = "E105"


class NoRelationshipError(PolicyError):
    """A link leads nowhere."""

    code = "E201"


class AmbiguousRelationshipError(PolicyError):
    """A link can be continued in several ways and names none."""

    code = "E202"


class LostRelationshipError(PolicyError):
    """Rows stay, but the rows they are found through go."""

    code = "E203"


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
        """Keep the *path* of the file and everything in it that is not known."""
        super().__init__(problems)
        self.path = path

    def headline(self) -> str:
        """Return the first sentence."""
        unknown = _listed(list(dict.fromkeys(problem.place for problem in self.problems)))
        return f"{self.path} cannot be read as a policy: {unknown}."


class UnreadableFileError(EffaceError):
    """A file is no TOML, or only the beginning of it."""

    code = "E107"

    def __init__(self, path: str, line: int) -> None:
        """Keep where it stops making sense; what stands there is not repeated."""
        super().__init__()
        self.path, self.line = path, line

    def message(self) -> str:
        """Return the file and the line."""
        return (
            f"{self.path} is not complete TOML: it cannot be read beyond line {self.line}. "
            f"{NOTHING_CHANGED} Look for a bracket, a quotation mark or a value that is missing."
        )


def _listed(places: Sequence[str]) -> str:
    more = f" and {len(places) - LISTED} more" if len(places) > LISTED else ""
    return ", ".join(places[:LISTED]) + more


def raise_problems(problems: Sequence[Problem]) -> None:
    """Raise the error class of the first problem with all of them; return when there is none.

    Warnings alone raise nothing, and are left out of the message.
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
