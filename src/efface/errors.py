"""Every exception of Efface: facts as attributes, text derived, a stable code per class.

The hundreds digit of a code is the stage that notices. No message carries a value out of the
database: table and column names, counts and references only. Driver errors quote rows, so they
are never chained; their type and SQLSTATE are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

NOTHING_CHANGED = "Nothing was changed."
LISTED = 5
"""How many places the first sentence of a message names; the rest is listed below it."""


class EffaceError(Exception):
    """Base of everything Efface raises; ``code`` is stable, ``str()`` is for people."""

    code: ClassVar[str] = "E000"

    def __str__(self) -> str:
        """Return the code and the message, one sentence first."""
        return f"{self.code} {type(self).__name__}\n  {self.message()}"

    def message(self) -> str:
        """Return the text without the code; subclasses derive it from their attributes."""
        return str(self.args[0]) if self.args else ""


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


class ConflictingDecisionError(PolicyError):
    """One column or table is decided twice."""

    code = "E104"


class MissingTombstoneError(PolicyError):
    """The subject's table lacks the column that marks a closed account."""

    code = "E105"


class NoPathError(PolicyError):
    """A link leads nowhere."""

    code = "E201"


class AmbiguousPathError(PolicyError):
    """A link can be continued in several ways and names none."""

    code = "E202"


class LostPathError(PolicyError):
    """Rows stay, but the rows they are found through go."""

    code = "E203"


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
        ConflictingDecisionError,
        MissingTombstoneError,
        NoPathError,
        AmbiguousPathError,
        LostPathError,
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


class UnknownSubjectError(EffaceError):
    """No row of the subject's table has this key."""

    code = "E401"

    def __init__(self, table: str) -> None:
        """Name the *table*; the key is the caller's and is not repeated."""
        super().__init__()
        self.table = table

    def message(self) -> str:
        """Return what was looked for and that nothing happened."""
        return f"No row of {self.table} has this key. {NOTHING_CHANGED}"


class StalePlanError(EffaceError):
    """The database or the policy has moved on since the plan was made."""

    code = "E402"

    def __init__(self, table: str, planned: int, found: int) -> None:
        """Keep the first *table* that differs, and both counts."""
        super().__init__()
        self.table, self.planned, self.found = table, planned, found

    def message(self) -> str:
        """Return which table moved, by counts."""
        return (
            f"The plan no longer fits: {self.table} had {self.planned} rows to change, "
            f"and has {self.found} now. {NOTHING_CHANGED} Make a new plan and read it again."
        )


class ForeignPlanError(EffaceError):
    """The plan was made for another subject or under another policy."""

    code = "E403"

    def message(self) -> str:
        """Return what does not fit."""
        return (
            "The plan belongs to another subject or another policy. "
            f"{NOTHING_CHANGED} Make a new plan with this eraser."
        )


class TombstoneWithoutClosingError(EffaceError):
    """The row is marked as closed, but Efface never closed it."""

    code = "E404"

    def __init__(self, table: str, tombstone: str) -> None:
        """Name the *table* and its *tombstone* column."""
        super().__init__()
        self.table, self.tombstone = table, tombstone

    def message(self) -> str:
        """Return the state and the line that adopts the row."""
        return (
            f"This row of {self.table} has {self.tombstone} set, but no closing of ours belongs "
            f"to it: it was marked before Efface came, so its values may still be there. "
            f"{NOTHING_CHANGED} To erase it and keep the date:\n\n"
            '      eraser.adopt(session, subject, actor="...")'
        )


class StatementError(EffaceError):
    """The database refused a statement; the caller's transaction has been rolled back.

    The driver's text is dropped because it quotes rows.
    """

    code = "E405"

    def __init__(self, table: str, act: str, driver_error: str, sqlstate: str | None) -> None:
        """Keep where it happened and the driver's error type, never its text."""
        super().__init__()
        self.table, self.act = table, act
        self.driver_error, self.sqlstate = driver_error, sqlstate

    def message(self) -> str:
        """Return where the database refused, and that all is as before."""
        state = f", SQLSTATE {self.sqlstate}" if self.sqlstate else ""
        return (
            f"The database refused to {self.act} {self.table} ({self.driver_error}{state}). "
            "The transaction was rolled back, so nothing was changed. "
            "The database's own log has the details; run it again when that is mended."
        )


class SubjectKeyError(EffaceError):
    """The key has not the type, or not the number of parts, of the subject's primary key."""

    code = "E406"

    def __init__(self, table: str, expected: str, got: str) -> None:
        """Keep the types; the key itself is not repeated."""
        super().__init__()
        self.table, self.expected, self.got = table, expected, got

    def message(self) -> str:
        """Return both types."""
        return (
            f"The primary key of {self.table} is {self.expected}, and this key is {self.got}. "
            f"{NOTHING_CHANGED} Convert the key first."
        )


class MissingTablesError(EffaceError):
    """The tables that Efface owns are not in this database."""

    code = "E501"

    def __init__(self, tables: Sequence[str]) -> None:
        """Keep the names of the missing *tables*."""
        super().__init__()
        self.tables = tuple(tables)

    def message(self) -> str:
        """Return which tables are missing and the line that makes them."""
        names = ", ".join(self.tables)
        verb = "is" if len(self.tables) == 1 else "are"
        return (
            f"{names} {verb} not in this database. {NOTHING_CHANGED} Make it in a migration, "
            "or at once:\n\n"
            "      op.create_efface_tables()        # in an Alembic migration, after: "
            "import efface.alembic\n"
            "      eraser.create_tables(engine)     # without migrations"
        )


class WeakKeyError(EffaceError):
    """The key is too short to keep fingerprints apart from guesses."""

    code = "E502"

    def message(self) -> str:
        """Return the rule and a line that makes a key."""
        return (
            "The key of an Eraser has at least 16 bytes. Make one, keep it with your secrets:\n\n"
            '      python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )


class ClosedAccountsError(EffaceError):
    """A migration would make closed accounts look open, or drop what is recorded of them."""

    code = "E601"

    def __init__(self, table: str, column: str, rows: int | None) -> None:
        """Keep where, and how many rows; None where a migration written as SQL cannot look."""
        super().__init__()
        self.table, self.column, self.rows = table, column, rows

    def message(self) -> str:
        """Return what would be lost and how to go on."""
        found = "may hold" if self.rows is None else f"holds {self.rows}"
        return (
            f"{self.table} {found} closed accounts, and {self.column} is what tells them from "
            f"open ones. {NOTHING_CHANGED} Keep the column and the records when rolling back the "
            "application; it ignores them."
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


class SchemaDriftError(PolicyError):
    """The database has other tables or columns than the models say."""

    code = "E108"


class SettingsError(EffaceError):
    """A command does not know what to work on: no eraser, no database, or not that one."""

    code = "E602"


class MissingExtraError(EffaceError):
    """A package is not installed that only some features need."""

    code = "E603"

    def __init__(self, feature: str, extra: str) -> None:
        """Keep what was asked for and the *extra* that brings it."""
        super().__init__()
        self.feature, self.extra = feature, extra

    def message(self) -> str:
        """Return the install line."""
        return f'{self.feature} needs more packages: pip install "efface[{self.extra}]"'
