"""What a host of Efface refuses: migrations, commands, missing extras; E6xx."""

from __future__ import annotations

from collections.abc import Sequence

from efface.errors.database_refusals import AutocommitError
from efface.errors.policy_problems import PolicyError
from efface.errors.root import NOTHING_CHANGED, EffaceError


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


class UnfilteredStatementError(EffaceError):
    """Closed accounts cannot be left out of an ORM statement, so it is not run."""

    code = "E604"

    def __init__(self, table: str, reason: str) -> None:
        """Keep the *table* of people and what about the statement is the matter."""
        super().__init__()
        self.table, self.reason = table, reason

    def message(self) -> str:
        """Return the reason and the ways on."""
        return (
            f"Closed accounts of {self.table} cannot be left out of this statement: "
            f"{self.reason}. The statement was not run. Write it another way "
            "(docs/reference/visibility.md), or inside: with include_closed(): ..."
        )


class ClosedMergeError(EffaceError):
    """`Session.merge` would write what an object holds into a closed account."""

    code = "E605"

    def __init__(self, table: str) -> None:
        """Keep the *table* of people; which row is nobody's business."""
        super().__init__()
        self.table = table

    def message(self) -> str:
        """Return what would have happened and the way on."""
        return (
            f"merge() would write into a closed account of {self.table}: the object is from before "
            f"the closing. {NOTHING_CHANGED} Where it is meant: "
            "with include_closed(): session.merge(...)"
        )


class ClosedObjectError(EffaceError):
    """An object of Django's would write into the row of a closed account, or delete it."""

    code = "E610"

    def __init__(self, label: str, act: str) -> None:
        """Keep the model's *label* and the *act*; which row is nobody's business."""
        super().__init__()
        self.label, self.act = label, act

    def message(self) -> str:
        """Return what would have happened and the way on."""
        return (
            f"{self.act} would reach the row of a closed account of {self.label}. "
            f"{NOTHING_CHANGED} An object that was loaded before the closing is of no more use; "
            f"if it is meant, load it in the same block: with include_closed(): object.{self.act}"
        )


class BlockerTypeError(EffaceError):
    """The host's function gave something else than blockers, or has forgotten to return."""

    code = "E609"

    def __init__(self, kind: str) -> None:
        """Keep the name of the type it gave; the value may be about the person."""
        super().__init__()
        self.kind = kind

    def message(self) -> str:
        """Return what it gave, and what it has to give."""
        return (
            f"The function in BLOCKERS, or blockers=, gave a value of type {self.kind}. "
            f"{NOTHING_CHANGED} Let it yield Blocker(text, href), or return a list of them, which "
            "is empty where nothing blocks."
        )


class AtomicBlockError(AutocommitError):
    """No transaction of Django's is open, so half a closing could stay."""

    def __init__(self, alias: str) -> None:
        """Keep the *alias* of the database."""
        super().__init__()
        self.alias = alias

    def message(self) -> str:
        """Return why we stop and the block to write."""
        return (
            f"No transaction is open on the database {self.alias}, so Django would commit each "
            f"statement by itself. {NOTHING_CHANGED} Use one:\n\n"
            f'      with transaction.atomic(using="{self.alias}"):\n'
            "          ..."
        )


class AutocommitOffError(EffaceError):
    """Django's connection has no autocommit, so no block commits a closing or what follows it."""

    code = "E608"

    def __init__(self, alias: str) -> None:
        """Keep the *alias* of the database."""
        super().__init__()
        self.alias = alias

    def message(self) -> str:
        """Return why we stop, and the line to change."""
        return (
            f"The database {self.alias} has no autocommit, so the end of transaction.atomic would "
            f"not commit the closing, nor begin what follows it. {NOTHING_CHANGED} Take "
            f'"AUTOCOMMIT": False out of DATABASES["{self.alias}"], and call no '
            "transaction.set_autocommit(False) before a closing."
        )


class RulesError(PolicyError):
    """The rules of Django's models name what does not exist, or two models claim one table."""

    code = "E606"

    def headline(self) -> str:
        """Return the first sentence."""
        places = ", ".join(dict.fromkeys(problem.place for problem in self.problems))
        return f"The rules of the models do not fit the models: {places}."


class WrongDatabaseError(EffaceError):
    """The people are not in the database that was named."""

    code = "E607"

    def __init__(self, alias: str, label: str, known: Sequence[str]) -> None:
        """Keep the *alias*, the model's *label*, and the databases that have it."""
        super().__init__()
        self.alias, self.label, self.known = alias, label, tuple(known)

    def message(self) -> str:
        """Return where the people are."""
        found = ", ".join(self.known) or "none"
        return (
            f"{self.label} is not in the database {self.alias}: DATABASES and its routers have "
            f"it in {found}. {NOTHING_CHANGED} Name one of those: using=..., "
            "or --database on the command line."
        )


class TooManyAttemptsError(EffaceError):
    """Raised by your ``check_password`` function once a user has tried too often."""

    code = "E611"

    def __init__(self, retry_after: int | None = None) -> None:
        """Keep *retry_after*: the seconds until the user may try again, or None."""
        super().__init__()
        self.retry_after = retry_after

    def message(self) -> str:
        """Return how long to wait."""
        wait = "later" if self.retry_after is None else f"in {self.retry_after} seconds"
        return f"The password was wrong too often. {NOTHING_CHANGED} Try again {wait}."
