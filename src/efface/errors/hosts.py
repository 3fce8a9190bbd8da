"""What a host of Efface refuses: migrations, commands, missing extras; E6xx."""

from __future__ import annotations

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
